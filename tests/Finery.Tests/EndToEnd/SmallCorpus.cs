using System.Text.Json;

namespace Finery.Tests.EndToEnd;

/// <summary>A corpus of described things, made here: small, varied enough to survive deduplication, the same in every run.</summary>
internal static class SmallCorpus
{
    private static readonly string[] Verbs = ["Adds", "Removes", "Returns", "Counts", "Copies", "Sorts", "Compares", "Writes", "Reads", "Closes"];
    private static readonly string[] Things = ["list", "stream", "buffer", "table", "queue", "record", "file", "token", "matrix", "window", "socket", "image"];
    private static readonly string[] Ways = ["in place", "without blocking", "by name", "in reverse order", "once", "for every caller", "from the cache", "at the end"];
    private static readonly string[] Whys = ["so that others can read it", "before the next call", "when the owner asks", "unless it is empty", "until none is left", "after a check of its size"];

    public static IEnumerable<string> Lines(int count)
    {
        var random = new Random(5);
        string Any(string[] words) => words[random.Next(words.Length)];
        for (int i = 0; i < count; i++)
        {
            string verb = Any(Verbs), thing = Any(Things), type = char.ToUpperInvariant(thing[0]) + thing[1..] + i % 37;
            string summary = $"{verb} the {thing} number {random.Next(1000)} {Any(Ways)} {Any(Whys)}, then {Any(Verbs).ToLowerInvariant()} another {Any(Things)} {Any(Ways)}.";
            string name = $"{type}.{verb}{i}";
            yield return JsonSerializer.Serialize(new
            {
                id = $"M:{name}", text = $"{name} method\n\n{summary}", metadata = new { name, short_name = name, type, kind = "method", summary },
            });
        }
    }
}
