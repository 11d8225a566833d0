using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using Finery.Data.Curation;
using Finery.Data.Writers;

namespace Finery.Data.Deduplication;

/// <summary>What a stage's folder says for people to read: settings, and what was found.</summary>
internal static class StageReport
{
    private static readonly JsonSerializerOptions s_options = new()
    {
        WriteIndented = true,
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Converters = { new JsonStringEnumConverter(JsonNamingPolicy.SnakeCaseLower) },
    };

    public static void Write(string path, CorpusStage settings, JsonObject found)
    {
        var report = new JsonObject { ["settings"] = JsonSerializer.SerializeToNode(settings, settings.GetType(), s_options) };
        foreach (var (key, value) in found)
            report[key] = value?.DeepClone();
        AtomicFile.WriteText(path, report.ToJsonString(s_options) + "\n");
    }
}
