using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Writers;

namespace Finery.Data.Classifiers;

/// <summary>What <c>classifier.json</c> says of the model beside it.</summary>
internal sealed record ClassifierDescription(
    string Model, string Label, double Threshold, bool LowerCase, string NewlineReplacement)
{
    public const string FileName = "classifier.json";

    public string ModelPath(string folder) => Path.Combine(folder, Model);

    /// <exception cref="InvalidDataException">The file is not there, or is not what it should be.</exception>
    public static ClassifierDescription Read(string folder)
    {
        var path = Path.Combine(folder, FileName);
        try
        {
            var json = JsonNode.Parse(File.ReadAllText(path))!;
            var model = json["model"]!.GetValue<string>();
            if (Path.GetFileName(model) != model)
                throw new InvalidDataException($"'{path}': the model '{model}' is not in the same folder.");
            return new(
                model, json["label"]!.GetValue<string>(), json["threshold"]!.GetValue<double>(),
                json["lower_case"]!.GetValue<bool>(),
                json["newline_replacement"]!.GetValue<string>());
        }
        catch (Exception e) when (e is JsonException or NullReferenceException or InvalidOperationException or FormatException
            or FileNotFoundException)
        {
            throw new InvalidDataException(
                $"'{path}' does not describe a classifier: it needs model, label, threshold, " +
                "lower_case and newline_replacement.", e);
        }
    }

    /// <summary>Writes it with what was measured.</summary>
    public void Write(string folder, QualityClassifierReport report)
    {
        var json = new JsonObject
        {
            ["model"] = Model, ["label"] = Label, ["threshold"] = Threshold, ["lower_case"] = LowerCase,
            ["newline_replacement"] = NewlineReplacement, ["target"] = report.Target, ["precision"] = report.Precision,
            ["recall"] = report.Recall, ["keep_rate"] = report.KeepRate, ["training_documents"] = report.TrainingCount,
            ["held_out_documents"] = report.HeldOutCount,
        };
        AtomicFile.WriteText(Path.Combine(folder, FileName), json.ToJsonString(new() { WriteIndented = true }) + "\n");
    }
}
