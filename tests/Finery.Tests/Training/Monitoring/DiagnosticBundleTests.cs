using System.Text.Json;
using Finery.Training.Monitoring;
using Xunit;

namespace Finery.Tests.Training.Monitoring;

public class DiagnosticBundleTests
{
    [Fact]
    public void Points_events_and_norms_are_in_one_file()
    {
        using var tiny = new TinyModel();
        using var folder = new TemporaryFolder();
        tiny.Model.Parameters[0].Weight.Floats[3] = float.NaN;
        tiny.Model.Parameters[1].Weight.Floats.Fill(2);
        string path = new DiagnosticBundle(
            "loss NaN", 12, 10, [new(11, 14, double.NaN, double.PositiveInfinity, RepairAction.SkipUpdate)],
            [new(11, RepairRung.NonFinite, "why", [new("steps skipped", 0, 1)])], tiny.Model.Parameters).Write(folder.Path);
        using var json = JsonDocument.Parse(File.ReadAllBytes(path));
        var root = json.RootElement;
        Assert.Equal("loss NaN", root.GetProperty("diagnosis").GetString());
        Assert.Equal(14, root.GetProperty("points")[0].GetProperty("batch").GetInt64());
        Assert.Equal("NaN", root.GetProperty("points")[0].GetProperty("loss").GetString());
        Assert.Equal(1, root.GetProperty("events")[0].GetProperty("changes")[0].GetProperty("after").GetDouble());
        var parameters = root.GetProperty("parameters");
        Assert.Equal(tiny.Model.Parameters.Count, parameters.GetArrayLength());
        Assert.Equal(1, parameters[0].GetProperty("weight_non_finite").GetInt64());
        Assert.Equal(2 * Math.Sqrt(16), parameters[1].GetProperty("weight_norm").GetDouble(), 1e-12);
        Assert.Equal(["divergence.json"], Directory.GetFiles(folder.Path).Select(Path.GetFileName));
    }
}
