using System.Text.Json.Nodes;
using Finery.Data.Curation;

namespace Finery.Cli.Commands;

/// <summary>A curation's folder as figures: the funnel and what was dropped for which reason.</summary>
internal static class CurationInspection
{
    private const int TopValues = 10;

    public static JsonObject Of(CurationFolder folder)
    {
        if (!File.Exists(folder.Statistics))
            return new JsonObject { ["state"] = "unfinished; the command that started it continues it" };
        var statistics = CurationStatistics.FromJson(File.ReadAllText(folder.Statistics));
        return new JsonObject
        {
            ["state"] = "finished",
            ["parts"] = statistics.Parts,
            ["read"] = Of(statistics.Read),
            ["written"] = Of(statistics.Written),
            ["stages"] = new JsonArray([.. statistics.Stages.Select(stage => new JsonObject
            {
                ["stage"] = stage.Name,
                ["kept"] = stage.Kept.Documents,
                ["dropped"] = stage.Dropped.Values.Sum(volume => volume.Documents),
                ["kept_bytes"] = stage.Kept.Bytes,
                ["tokens"] = stage.Kept.Tokens,
                ["reasons"] = string.Join(", ", stage.Dropped.OrderByDescending(pair => pair.Value.Documents)
                    .Select(pair => $"{pair.Key} {pair.Value.Documents}")),
            })]),
            ["skipped"] = Items(statistics.Skipped),
            ["repaired"] = Items(statistics.Repaired),
            ["languages"] = Top(statistics.Languages),
            ["domains"] = Top(statistics.Domains),
        };
    }

    private static JsonObject Of(Volume volume) =>
        new() { ["documents"] = volume.Documents, ["bytes"] = volume.Bytes, ["tokens"] = volume.Tokens };

    private static JsonObject Items(IReadOnlyDictionary<string, SkippedItems> items)
    {
        var json = new JsonObject();
        foreach (var (reason, item) in items) json[reason] = $"{item.Count}, first {item.FirstExample}";
        return json;
    }

    private static JsonObject Top(ValueCounts counts)
    {
        var json = new JsonObject();
        foreach (var (value, count) in counts.Values.OrderByDescending(pair => pair.Value).Take(TopValues)) json[value] = count;
        return json;
    }
}
