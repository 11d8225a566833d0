using Finery.Data;

namespace Finery.Tests.Data.Deduplication;

/// <summary>Seeded text of made-up words.</summary>
internal static class Prose
{
    private static readonly string[] s_vocabulary =
        [.. Enumerable.Range(0, 2000).Select(i => string.Concat(
            Enumerable.Range(0, 3 + i % 5).Select(k => (char)('a' + (i * 7 + k * (i / 3) + k * k * 5 + i / 26) % 26))))];

    public static string Words(Random random, int count) =>
        string.Join(' ', Enumerable.Range(0, count).Select(_ => s_vocabulary[random.Next(s_vocabulary.Length)]));

    /// <summary>Documents of which some are others with a word added at the end or put in front.</summary>
    public static List<Document> WithNearDuplicates(int seed, int originals)
    {
        var random = new Random(seed);
        var documents = new List<Document>();
        for (var i = 0; i < originals; i++)
        {
            var text = Words(random, 60 + random.Next(200));
            documents.Add(new($"{i}", text));
            if (i % 3 == 0)
                documents.Add(new($"{i}b", text + " " + Words(random, 1)));
            if (i % 5 == 0)
                documents.Add(new($"{i}c", Words(random, 1) + " " + text));
            if (i % 7 == 0)
                documents.Add(new($"{i}short", Words(random, random.Next(4))));
        }
        var shuffled = documents.ToArray();
        random.Shuffle(shuffled);
        return [.. shuffled];
    }
}
