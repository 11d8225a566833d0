using System.Text.Json;
using Finery.Models;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Monitoring;

/// <summary>What is left of a run that stopped as diverged, for whoever looks into it: one JSON file, written atomically.</summary>
/// <param name="Diagnosis">Why it stopped.</param>
/// <param name="Step">Step it stopped at.</param>
/// <param name="Onset">Step at which the trouble began.</param>
/// <param name="Points">The last steps (<see cref="RepairLadder.LastPoints"/>), with their batches.</param>
/// <param name="Events">Everything the ladder did.</param>
/// <param name="Parameters">Their norms are taken.</param>
public sealed record DiagnosticBundle(
    string Diagnosis, long Step, long Onset, IReadOnlyList<RepairPoint> Points, IReadOnlyList<RepairEvent> Events,
    IReadOnlyList<Parameter> Parameters)
{
    /// <summary>Name of the file.</summary>
    public const string FileName = "divergence.json";

    /// <summary>Writes <see cref="FileName"/> into a folder. Numbers that are not finite are written as words.</summary>
    /// <returns>Path of the file.</returns>
    public string Write(string folder)
    {
        Directory.CreateDirectory(folder);
        string path = Path.Combine(folder, FileName);
        AtomicFile.Write(path, stream =>
        {
            using var json = new Utf8JsonWriter(stream, new() { Indented = true, NewLine = "\n" });
            json.WriteStartObject();
            json.WriteString("diagnosis", Diagnosis);
            json.WriteNumber("step", Step);
            json.WriteNumber("onset", Onset);
            WritePoints(json);
            WriteEvents(json);
            WriteParameters(json);
            json.WriteEndObject();
        });
        return path;
    }

    private void WritePoints(Utf8JsonWriter json)
    {
        json.WriteStartArray("points");
        foreach (var point in Points)
        {
            json.WriteStartObject();
            json.WriteNumber("step", point.Step);
            json.WriteNumber("batch", point.Batch);
            WriteValue(json, "loss", point.Loss);
            WriteValue(json, "gradient_norm", point.GradientNorm);
            json.WriteString("action", point.Action.ToString());
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private void WriteEvents(Utf8JsonWriter json)
    {
        json.WriteStartArray("events");
        foreach (var happened in Events)
        {
            json.WriteStartObject();
            json.WriteNumber("step", happened.Step);
            json.WriteString("rung", happened.Rung.ToString());
            json.WriteString("reason", happened.Reason);
            json.WriteStartArray("changes");
            foreach (var change in happened.Changes)
            {
                json.WriteStartObject();
                json.WriteString("name", change.Name);
                WriteValue(json, "before", change.Before);
                WriteValue(json, "after", change.After);
                json.WriteEndObject();
            }
            json.WriteEndArray();
            json.WriteEndObject();
        }
        json.WriteEndArray();
    }

    private void WriteParameters(Utf8JsonWriter json)
    {
        var moments = new Moments();
        json.WriteStartArray("parameters");
        foreach (var parameter in Parameters)
        {
            json.WriteStartObject();
            json.WriteString("name", parameter.Name);
            WriteNorm(json, "weight", parameter.Weight);
            if (parameter.Weight.Gradient is { } gradient) WriteNorm(json, "gradient", gradient);
            json.WriteEndObject();
        }
        json.WriteEndArray();

        void WriteNorm(Utf8JsonWriter writer, string name, Tensor tensor)
        {
            moments.Clear();
            moments.Add(tensor);
            WriteValue(writer, name + "_norm", moments.Norm);
            if (moments.NonFinite > 0) writer.WriteNumber(name + "_non_finite", moments.NonFinite);
        }
    }

    private static void WriteValue(Utf8JsonWriter json, string name, double value)
    {
        if (double.IsFinite(value)) json.WriteNumber(name, value);
        else json.WriteString(name, double.IsNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity");
    }
}
