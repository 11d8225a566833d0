using Finery.Evaluation.Metrics;
using Finery.Tensors;

namespace Finery.Evaluation.Tasks;

/// <summary>Which needles are put where.</summary>
public sealed record NeedleSettings
{
    /// <summary>Context lengths in tokens, everything included but the value that is asked for.</summary>
    public required IReadOnlyList<int> Lengths { get; init; }

    /// <summary>Where the needle lies: 0 at the beginning of the haystack, 1 at its end.</summary>
    public IReadOnlyList<double> Depths { get; init; } = [0, 0.25, 0.5, 0.75, 1];

    /// <summary>Needles of each length and depth.</summary>
    public int Items { get; init; } = 5;

    /// <summary>Values to choose from, the right one included.</summary>
    public int Candidates { get; init; } = 4;

    /// <summary>Tokens of a key.</summary>
    public int KeyTokens { get; init; } = 2;

    /// <summary>Tokens of a value.</summary>
    public int ValueTokens { get; init; } = 2;

    /// <summary>Of keys, values and haystacks.</summary>
    public ulong Seed { get; init; }

    /// <summary>Everything wrong with these settings for a model that reads <paramref name="contextLength"/> tokens.</summary>
    /// <param name="contextLength">Of the model.</param>
    /// <param name="shortest">Tokens needle and question take.</param>
    public IEnumerable<string> Validate(int contextLength, int shortest)
    {
        if (Lengths.Count == 0) yield return "no context length is given.";
        foreach (int length in Lengths)
        {
            if (length < shortest || length + ValueTokens - 1 > contextLength)
                yield return $"a context of {length} tokens is outside {shortest}..{contextLength - ValueTokens + 1}: what needle and question take, and the model reads.";
        }
        if (Depths.Count == 0) yield return "no depth is given.";
        foreach (double depth in Depths.Where(depth => !(depth is >= 0 and <= 1))) yield return $"depth {depth} is outside 0..1.";
        if (Items < 1) yield return "at least 1 item is needed.";
        if (Candidates < 2) yield return "at least 2 candidates are needed.";
        if (KeyTokens < 1 || ValueTokens < 1) yield return "keys and values need at least 1 token.";
    }
}

/// <summary>Result of one length and depth.</summary>
/// <param name="Length">Context in tokens.</param>
/// <param name="Depth">0 to 1.</param>
/// <param name="Correct">Needles found.</param>
/// <param name="Items">Needles hidden.</param>
public sealed record NeedleCell(int Length, double Depth, int Correct, int Items);

/// <summary>Result of <see cref="NeedleTask"/>, by length, then depth.</summary>
/// <param name="Cells">One each.</param>
public sealed record NeedleResult(IReadOnlyList<NeedleCell> Cells)
{
    /// <summary>Share of needles found.</summary>
    public Estimate Accuracy => Estimate.Mean([.. Cells.SelectMany(cell =>
        Enumerable.Range(0, cell.Items).Select(i => i < cell.Correct ? 1.0 : 0.0))]);

    /// <summary>Whether every needle up to a length was found: the gate of a longer context (Llama 3).</summary>
    public bool IsPerfectUpTo(int length) => Cells.Where(cell => cell.Length <= length).All(cell => cell.Correct == cell.Items);

    /// <summary>The worst share of a length over its depths.</summary>
    public double WorstOf(int length) => Cells.Where(cell => cell.Length == length).Min(cell => cell.Correct / (double)cell.Items);
}

/// <summary>
/// A needle in a haystack: into running text a sentence "intro key link value" with random key and value is put, and the context ends with
/// "intro key link" again. Nothing has to be understood, only found and copied, so that small base models can be asked. A pure function of
/// corpus, settings and seed.
/// </summary>
/// <param name="Corpus">Tokens of running text; begun anew where it ends.</param>
/// <param name="BosId">Beginning-of-sequence, the first token of each context.</param>
/// <param name="Intro">Tokens before the key, such as those of " The code of"; may be empty.</param>
/// <param name="Link">Tokens between key and value, such as those of " is"; may be empty.</param>
/// <param name="Settings">How many, where.</param>
public sealed record NeedleTask(int[] Corpus, int BosId, int[] Intro, int[] Link, NeedleSettings Settings)
{
    private readonly int[] _pool = [.. Corpus.Distinct().Where(token => token != BosId).Order()];

    /// <summary>Asks for the likeliest of the candidates: what small models can do. Ties go to the wrong one.</summary>
    /// <exception cref="ArgumentException">Settings, corpus and model do not fit; the message lists every fault.</exception>
    public NeedleResult Score(ITokenModel model)
    {
        Check(model.ContextLength);
        var scores = new double[Settings.Candidates];
        return Cells((context, candidates) =>
        {
            // All candidates have one length: no normalisation is needed.
            TokenSpan[] spans = [.. candidates.Select(candidate => new TokenSpan([.. context, .. candidate], context.Length))];
            model.Score(spans, scores);
            return scores.Skip(1).All(score => score < scores[0]);
        });
    }

    /// <summary>Asks for the value itself.</summary>
    /// <param name="contextLength">Tokens the model reads.</param>
    /// <param name="continuation">Continues a context greedily by so many tokens.</param>
    /// <exception cref="ArgumentException">Settings, corpus and model do not fit; the message lists every fault.</exception>
    public NeedleResult ScoreGreedy(int contextLength, Func<int[], int, IEnumerable<int>> continuation)
    {
        Check(contextLength);
        return Cells((context, candidates) => continuation(context, Settings.ValueTokens).SequenceEqual(candidates[0]));
    }

    private void Check(int contextLength)
    {
        int shortest = 1 + 2 * (Intro.Length + Settings.KeyTokens + Link.Length) + Settings.ValueTokens;
        List<string> errors = [.. Settings.Validate(contextLength, shortest)];
        if (_pool.Length < Settings.Candidates) errors.Add($"the corpus has {_pool.Length} different tokens; keys and values need more.");
        if (errors.Count > 0) throw new ArgumentException("Needle in a haystack: " + string.Join(" ", errors));
    }

    private NeedleResult Cells(Func<int[], int[][], bool> isFound)
    {
        var cells = new List<NeedleCell>();
        foreach (int length in Settings.Lengths)
        {
            foreach (double depth in Settings.Depths)
            {
                int correct = 0;
                for (int item = 0; item < Settings.Items; item++)
                {
                    var (context, candidates) = Make(length, depth, item);
                    if (isFound(context, candidates)) correct++;
                }
                cells.Add(new(length, depth, correct, Settings.Items));
            }
        }
        return new(cells);
    }

    /// <summary>A context that ends where the value should come, and the values to choose from, the right one first.</summary>
    private (int[] Context, int[][] Candidates) Make(int length, double depth, int item)
    {
        ulong key = CounterRandom.Key(Settings.Seed, FormattableString.Invariant($"needle {length} {depth} {item}")), drawn = 0;
        int Next(int below) => (int)(CounterRandom.Bits(key, drawn++) % (ulong)below);
        int[] Draw(int count) => [.. Enumerable.Range(0, count).Select(_ => _pool[Next(_pool.Length)])];

        int[] name = Draw(Settings.KeyTokens);
        var candidates = new List<int[]>();
        while (candidates.Count < Settings.Candidates)
        {
            int[] value = Draw(Settings.ValueTokens);
            if (!candidates.Any(other => other.AsSpan().SequenceEqual(value))) candidates.Add(value);
        }
        int[] question = [.. Intro, .. name, .. Link], needle = [.. question, .. candidates[0]];
        int hay = length - 1 - needle.Length - question.Length, start = Next(Corpus.Length), before = (int)Math.Round(depth * hay);
        int[] haystack = [.. Enumerable.Range(0, hay).Select(i => Corpus[(start + i) % Corpus.Length])];
        return ([BosId, .. haystack[..before], .. needle, .. haystack[before..], .. question], [.. candidates]);
    }
}
