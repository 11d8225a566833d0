using System.Text.Json;
using System.Text.Json.Nodes;
using Finery.Data.Deduplication;
using Finery.Data.Readers;
using Finery.Data.Writers;

namespace Finery.Data.Curation;

/// <summary>What is to be done: the parts of the input and the segments of stages. Written to the folder once, so that another
/// process, or the next one, works at the same parts.</summary>
internal sealed record CurationPlan(CurationSettings Settings, IReadOnlyList<InputPart> Parts, IReadOnlyList<Segment> Segments)
{
    /// <summary>Version of the layout and of the stages' results: raised when the same settings would give other bytes.</summary>
    private const int Version = 1;

    /// <summary>Makes the plan, or takes up the one in the folder.</summary>
    /// <param name="settings">What is asked for.</param>
    /// <param name="description">The settings as JSON, for comparison; null to look at the input alone.</param>
    /// <param name="folder">Where.</param>
    /// <exception cref="InvalidOperationException">The folder holds a curation of something else; the message says what
    /// differs.</exception>
    /// <exception cref="FileNotFoundException">A path matches no file.</exception>
    public static CurationPlan Open(CurationSettings settings, JsonObject? description, CurationFolder folder)
    {
        var parts = settings.Input.Parts(settings.PartBytes);
        if (parts.Count == 0)
            throw new FileNotFoundException("There is no input file.");
        var plan = new JsonObject
        {
            ["version"] = Version,
            ["settings"] = description?.DeepClone(),
            ["files"] = new JsonArray([.. parts.Select(part => part.Path).Distinct().Select(Fingerprint)]),
            ["parts"] = new JsonArray([.. parts.Select(part => (JsonNode)new JsonObject
            {
                ["path"] = part.Path, ["start"] = part.Start, ["end"] = part.End,
            })]),
        };
        if (File.Exists(folder.Plan))
        {
            var existing = JsonNode.Parse(File.ReadAllBytes(folder.Plan));
            if (description is null)
                plan["settings"] = existing?["settings"]?.DeepClone();
            if (Difference(existing, plan, "") is { } difference)
                throw new InvalidOperationException(
                    $"{folder.Root} holds a curation of something else ({difference}). "
                    + "Choose another folder, or delete this one.");
        }
        else
            AtomicFile.WriteText(folder.Plan, plan.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));
        return new(settings, parts, Segment.Of(settings.Stages));
    }

    /// <summary>Length and a hash of both ends: reading a whole crawl only to know that it has not changed would double the
    /// work.</summary>
    private static JsonNode Fingerprint(string path)
    {
        var described = new JsonObject { ["path"] = path };
        if (!File.Exists(path))
            return described;
        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read);
        var ends = new byte[(int)Math.Min(file.Length, 1 << 16) * 2];
        file.ReadExactly(ends.AsSpan(0, ends.Length / 2));
        file.Position = file.Length - ends.Length / 2;
        file.ReadExactly(ends.AsSpan(ends.Length / 2));
        described["bytes"] = file.Length;
        described["ends"] = XxHash64.Hash(ends).ToString("x16", System.Globalization.CultureInfo.InvariantCulture);
        return described;
    }

    /// <summary>The first place where two texts differ, for people; null if they are equal.</summary>
    private static string? Difference(JsonNode? old, JsonNode? now, string at)
    {
        if (old is JsonObject a && now is JsonObject b)
            return a.Select(pair => pair.Key).Union(b.Select(pair => pair.Key))
                .Select(key => Difference(a[key], b[key], at.Length == 0 ? key : $"{at}.{key}"))
                .FirstOrDefault(found => found is not null);
        if (old is JsonArray x && now is JsonArray y)
            return x.Count != y.Count ? $"{at}: {x.Count} entries there, {y.Count} now"
                : x.Select((item, i) => Difference(item, y[i], $"{at}[{i}]")).FirstOrDefault(found => found is not null);
        return JsonNode.DeepEquals(old, now) ? null : $"{at} is {Short(old)} there, {Short(now)} now";
    }

    private static string Short(JsonNode? value)
    {
        var text = value?.ToJsonString() ?? "nothing";
        return text.Length <= 80 ? text : text[..77] + "...";
    }
}
