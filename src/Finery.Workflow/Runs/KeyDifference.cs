using System.Text.Json.Nodes;
using Finery.Workflow.Recipes;

namespace Finery.Workflow.Runs;

/// <summary>Says in words why two cache keys differ.</summary>
public static class KeyDifference
{
    private const int Shown = 3;

    /// <summary>Such as <c>settings changed: lr 1 -> 2, depth 4 -> 8</c>; null if nothing differs that is known. An input without
    /// digest is not yet known and differs from nothing.</summary>
    /// <param name="before">Ingredients of the earlier key.</param>
    /// <param name="now">Ingredients of the new one.</param>
    public static string? Between(JsonObject before, JsonObject now)
    {
        foreach (var (key, word) in new[] { ("type", "type"), ("version", "implementation version") })
        {
            if (!JsonNode.DeepEquals(before[key], now[key]))
                return $"{word} changed: {RecipeWriter.Inline(before[key])} -> {RecipeWriter.Inline(now[key])}";
        }
        if (!JsonNode.DeepEquals(before["seed"], now["seed"])) return "seed changed";
        var settings = Leaves(before["settings"], now["settings"]).Take(Shown + 1).ToArray();
        if (settings.Length > 0) return "settings changed: " + Text(settings);
        var inputs = Inputs(before["inputs"] as JsonArray ?? [], now["inputs"] as JsonArray ?? []).Distinct().Take(Shown + 1)
            .ToArray();
        if (inputs.Length > 0) return "input changed: " + Text(inputs);
        var files = Files(before["files"] as JsonObject ?? [], now["files"] as JsonObject ?? []).Take(Shown + 1).ToArray();
        return files.Length > 0 ? Text(files) : null;
    }

    private static string Text(string[] differences) =>
        string.Join(", ", differences.Take(Shown)) + (differences.Length > Shown ? ", ..." : "");

    private static IEnumerable<string> Leaves(JsonNode? before, JsonNode? now, string path = "")
    {
        if (JsonNode.DeepEquals(before, now)) yield break;
        if (before is JsonObject from && now is JsonObject to)
        {
            foreach (string key in from.Select(entry => entry.Key).Union(to.Select(entry => entry.Key)))
                foreach (string leaf in Leaves(from[key], to[key], path.Length == 0 ? key : $"{path}.{key}")) yield return leaf;
        }
        else if (before is JsonArray first && now is JsonArray second && first.Count == second.Count
            && first.Any(item => item is JsonObject))
        {
            for (int i = 0; i < first.Count; i++)
                foreach (string leaf in Leaves(first[i], second[i], $"{path}.{i}")) yield return leaf;
        }
        else
        {
            yield return $"{path} {Short(before)} -> {Short(now)}";
        }
    }

    private static string Short(JsonNode? value)
    {
        string text = RecipeWriter.Inline(value);
        return text.Length <= 60 ? text : text[..57] + "...";
    }

    private static IEnumerable<string> Inputs(JsonArray before, JsonArray now)
    {
        for (int i = 0; i < Math.Max(before.Count, now.Count); i++)
        {
            var from = i < before.Count ? before[i] : null;
            var to = i < now.Count ? now[i] : null;
            if (to is not null && to["sha256"] is null && from is not null
                && JsonNode.DeepEquals(from["setting"], to["setting"])) continue;
            if (!JsonNode.DeepEquals(from, to)) yield return (to ?? from)!["setting"]!.GetValue<string>();
        }
    }

    private static IEnumerable<string> Files(JsonObject before, JsonObject now)
    {
        foreach (var (name, digest) in now)
        {
            if (!before.TryGetPropertyValue(name, out var earlier)) yield return $"file added: {name}";
            else if (!JsonNode.DeepEquals(earlier, digest)) yield return $"file changed: {name}";
        }
        foreach (var (name, _) in before)
            if (!now.ContainsKey(name)) yield return $"file removed: {name}";
    }
}
