using Finery.Data.Tokenizers;

namespace Finery.Tests.Data.Tokenizers;

/// <summary>Made-up technical prose and a tokenizer trained on it.</summary>
internal static class Samples
{
    private static readonly string[] Words =
        ("the a of to value returns gets sets stream buffer string object type method exception thrown when null index " +
         "count array length specified current instance collection element reader writer async task cancellation token file " +
         "path directory byte")
        .Split(' ');

    private static readonly Lazy<Tokenizer> Trained = new(() => new BpeTrainer { VocabSize = 600 }.Train(Texts(400)));

    public static Tokenizer Tokenizer => Trained.Value;

    public static string[] Texts(int count)
    {
        var random = new Random(7);
        return [.. Enumerable.Range(0, count).Select(_ => Text(random))];
    }

    /// <summary>The same with nothing that a text file cannot have: only ASCII.</summary>
    public static string[] PlainTexts(int count) =>
        [.. Texts(count).Select(text => string.Concat(text.Where(c => c == '\n' || (c >= ' ' && c < 0x7F))))];

    private static string Text(Random random)
    {
        var words = Enumerable.Range(0, random.Next(3, 60))
            .Select(_ => Words[(int)(Words.Length * Math.Pow(random.NextDouble(), 2))]);
        return string.Join(' ', words) + $".\n\n{random.Next(10_000)} isn't {RandomText.Next(random, 3)}";
    }
}
