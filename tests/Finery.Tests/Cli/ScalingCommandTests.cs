using System.Globalization;
using System.Text.Json.Nodes;
using Finery.Tests.EndToEnd;
using Finery.Training.Scaling;
using Finery.Workflow.Scaling;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Cli;

public sealed class ScalingCommandTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("finery-scaling-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private string File(string name) => Path.Combine(_folder, name);

    private string Table(string text)
    {
        System.IO.File.WriteAllText(File("runs.csv"), text);
        return File("runs.csv");
    }

    private string ChinchillaTable() => Table("parameters,tokens,loss\n# made from the published law\n" + string.Concat(
        from size in new[] { 1e7, 1e8, 1e9, 4e9 }
        from tokens in new[] { 1e9, 1e10, 4e10 }
        select FormattableString.Invariant($"{size},{tokens},{ScalingLaw.Chinchilla.Loss(size, tokens):R}\n")));

    [Fact]
    public void A_law_is_fitted_predicts_what_was_held_out_and_plans()
    {
        var (code, output) = FineryProcess.Run(
            "scaling", "fit", "--points", ChinchillaTable(), "--holdout", "largest", "--bootstrap", "20", "--out", File("law.json"));
        Assert.True(code == 0, output);
        Assert.Contains("held out", output);
        var study = JsonNode.Parse(System.IO.File.ReadAllText(File("law.json")))!;
        Assert.Equal(11, study["runs"]!.AsArray().Count);
        Assert.Equal(4e10, study["held_out"]!["tokens"]!.GetValue<double>());
        Assert.Equal(0, study["held_out"]!["error_percent"]!.GetValue<double>(), 0.1);
        Assert.InRange(study["law"]!["alpha"]!.GetValue<double>() / ScalingLaw.Chinchilla.Alpha, 0.99, 1.01);
        Assert.Equal(7, study["figures"]!.AsArray().Count);
        Assert.All(study["figures"]!.AsArray(), figure => Assert.True(figure!["low"]!.GetValue<double>() <= figure["high"]!.GetValue<double>()));
        Assert.Contains("<svg", System.IO.File.ReadAllText(File("law.html")));

        (code, output) = FineryProcess.Run("scaling", "plan", "--flops", "1e21", "--law", File("law.json"));
        Assert.True(code == 0, output);
        foreach (string law in new[] { "fitted", "chinchilla", "refit", "deepseek", "moonlight" }) Assert.Contains($"\n{law} ", output);
        Assert.Contains("1.824e9", output);
        Assert.Contains("2.3289", output);
        Assert.Contains("Careful: deepseek: fitted up to 3e20 operations", output);
    }

    [Fact]
    public void Hours_become_operations()
    {
        var (code, output) = FineryProcess.Run("scaling", "plan", "--hours", "2", "--flops-per-second", "1e12", "--vocab-size", "512", "--json");
        Assert.True(code == 0, output);
        var plan = JsonNode.Parse(output[output.IndexOf('{')..])!;
        Assert.Equal(7.2e15, plan["operations"]!.GetValue<double>());
        var moonlight = plan["laws"]!.AsArray().Single(law => (string?)law!["law"] == "moonlight")!;
        double size = moonlight["parameters"]!.GetValue<double>(), shape = moonlight["shape"]!["parameters"]!.GetValue<double>();
        // A vocabulary of 512 is next to nothing beside the rest.
        Assert.InRange(shape / size, 0.8, 1.25);
    }

    [Theory]
    [InlineData("scaling fit", "which runs?")]
    [InlineData("scaling fit nowhere", "nowhere")]
    [InlineData("scaling fit --points nowhere.csv", "nowhere.csv: no such file")]
    [InlineData("scaling fit --method isoflo", "isoflo")]
    [InlineData("scaling plan", "what budget?")]
    [InlineData("scaling plan --flops -1", "--flops must be positive")]
    [InlineData("scaling plan --flops 1e20 --law nowhere.json", "nowhere.json")]
    public void Wrong_usage_exits_with_2(string arguments, string expected)
    {
        var (code, output) = FineryProcess.Run(arguments.Split(' '));
        Assert.Contains(expected, output);
        Assert.Equal(2, code);
    }

    [Theory]
    [InlineData("", "no runs")]
    [InlineData("parameters,tokens,los\n1,2,3\n", "runs.csv:1: no column 'los'")]
    [InlineData("parameters,tokens,loss\n1,2\n", "runs.csv:2: 2 cells under 3 headings")]
    [InlineData("parameters,tokens,loss\n\n1e9,2e9,many\n", "runs.csv:3: 'loss' is 'many'")]
    [InlineData("parameters,tokens,loss\n1e9,-2e9,3\n", "runs.csv:2: 'tokens' is '-2e9'")]
    [InlineData("parameters,tokens,loss\n1e9,NaN,3\n", "'tokens' is 'NaN'")]
    public void A_wrong_table_names_its_line(string text, string expected) =>
        Assert.Contains(expected, Assert.Throws<RecipeException>(() => ScalingRuns.ReadTable(Table(text))).Message);

    [Fact]
    public void Columns_may_stand_in_any_order_and_lack()
    {
        var run = Assert.Single(ScalingRuns.ReadTable(Table("accuracy,name,FLOPS,nll\n0.5,big, 1e20 ,0.9\n")));
        Assert.Equal(("big", 1e20, 0.9, 0.5), (run.Name, run.Operations, run.Nll, run.Accuracy));
        Assert.True(double.IsNaN(run.Point.Loss));
    }

    [Fact]
    public void A_run_to_hold_out_must_be_one()
    {
        var runs = ScalingRuns.ReadTable(Table("name,parameters,tokens,loss\na/p,1e6,1e7,3\nb/p,2e6,1e7,3\nb/q,2e6,2e7,2.9\n"));
        Assert.Equal("a/p", LossStudy.HeldOutOf(runs, "runs/a/")!.Name);
        Assert.Equal("b/q", LossStudy.HeldOutOf(runs, "b/q")!.Name);
        Assert.Equal("b/q", LossStudy.HeldOutOf(runs, "largest")!.Name);
        Assert.Contains("2 runs", Assert.Throws<RecipeException>(() => LossStudy.HeldOutOf(runs, "b")).Message);
        Assert.Contains("0 runs", Assert.Throws<RecipeException>(() => LossStudy.HeldOutOf(runs, "c")).Message);
    }

    [Fact]
    public void Parabolas_and_sigmoids_have_tables_and_pages()
    {
        string table = Table("parameters,tokens,loss\n" + string.Concat(
            from c in new[] { 1e18, 1e19, 1e20 }
            from factor in new[] { 0.5, 1, 2 }
            let tokens = factor * 2e-2 * Math.Sqrt(c) * 1e2
            select string.Create(CultureInfo.InvariantCulture, $"{c / 6 / tokens:R},{tokens:R},{3 + 0.1 * Math.Pow(Math.Log(factor), 2):R}\n")));
        var (code, output) = FineryProcess.Run("scaling", "fit", "--points", table, "--method", "isoflop", "--holdout", "largest", "--out", File("iso.json"));
        Assert.True(code == 0, output);
        Assert.Contains("held out", output);
        Assert.Equal(0.5, JsonNode.Parse(System.IO.File.ReadAllText(File("iso.json")))!["tokens"]!["exponent"]!.GetValue<double>(), 1e-6);
        Assert.Contains("<svg", System.IO.File.ReadAllText(File("iso.html")));
        (code, output) = FineryProcess.Run("scaling", "plan", "--flops", "1e19", "--law", File("iso.json"));
        Assert.True(code == 0, output);
        // D* = 2 sqrt(C).
        Assert.Matches(@"\nfitted +\S+ +6\.325e9 ", output);

        table = Table("flops,nll,accuracy\n" + string.Concat(new[] { (1e19, 1.6), (1e20, 1.4), (1e21, 1.2), (1e22, 1.0), (0, 0.8) }.Select(model =>
            string.Create(CultureInfo.InvariantCulture, $"{(model.Item1 > 0 ? model.Item1 : "")},{model.Item2},{0.25 + 0.7 / (1 + Math.Exp(6 * (model.Item2 - 1.1))):R}\n"))));
        (code, output) = FineryProcess.Run("scaling", "fit", "--points", table, "--method", "downstream");
        Assert.True(code == 0, output);
        Assert.Contains("midpoint 1.1", output);
    }
}
