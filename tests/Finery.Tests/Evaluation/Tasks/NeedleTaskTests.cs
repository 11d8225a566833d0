using Finery.Evaluation.Tasks;
using Xunit;

namespace Finery.Tests.Evaluation.Tasks;

public class NeedleTaskTests
{
    private const int Vocab = 60, Bos = 0, Context = 128;

    private static readonly int[] Corpus = [.. Enumerable.Range(0, 301).Select(i => 1 + (i * i + 3 * i) % 53)];

    private static readonly NeedleSettings Settings = new() { Lengths = [32, 64, 120], Depths = [0, 0.3, 1], Items = 4, Seed = 9 };

    private static NeedleTask Task(NeedleSettings? settings = null) => new(Corpus, Bos, [54, 55], [56], settings ?? Settings);

    /// <summary>Copies what followed the last earlier place where the last so many tokens stand, looking back so far.</summary>
    private static TableModel Induction(int reach, int match = 5) => new(Vocab, Context, (context, next) =>
    {
        for (int end = context.Length - 1; end >= Math.Max(match, context.Length - reach); end--)
        {
            if (context[(end - match)..end].AsSpan().SequenceEqual(context[^match..])) return context[end] == next ? 0.9 : 0.1 / (Vocab - 1);
        }
        return 1.0 / Vocab;
    });

    [Fact]
    public void A_model_that_copies_finds_every_needle()
    {
        var result = Task().Score(Induction(Context));
        Assert.Equal(9, result.Cells.Count);
        Assert.True(result.IsPerfectUpTo(120));
        Assert.Equal((1.0, 36), (result.Accuracy.Value, result.Accuracy.Count));
    }

    [Fact]
    public void A_model_that_sees_only_its_last_tokens_fails_at_a_distance()
    {
        var result = Task().Score(Induction(40));
        Assert.True(result.IsPerfectUpTo(32));
        Assert.False(result.IsPerfectUpTo(64));
        Assert.All(result.Cells.Where(cell => cell.Depth == 1), cell => Assert.Equal(4, cell.Correct));
        Assert.Equal(0, result.WorstOf(120));
    }

    [Fact]
    public void A_model_without_memory_finds_nothing_as_ties_are_no_answer() =>
        Assert.Equal(0, Task().Score(new TableModel(Vocab, Context, (_, _) => 1.0 / Vocab)).Accuracy.Value);

    [Fact]
    public void Contexts_have_the_length_asked_for_and_the_needle_at_its_depth()
    {
        var model = Induction(Context);
        Task(Settings with { Lengths = [64], Items = 1, Candidates = 3 }).Score(model);
        Assert.All(model.Seen, span => Assert.Equal((64, 66, Bos), (span.First, span.Tokens.Length, span.Tokens[0])));
        int[] places = [.. model.Seen.Where((_, i) => i % 3 == 0).Select(span => Array.IndexOf(span.Tokens, 54))];
        Assert.Equal([1, 1 + (int)Math.Round(0.3 * 51), 64 - 5 - 7], places);
        Assert.Equal(3, model.Seen.Take(3).Select(span => string.Join(' ', span.Tokens[64..])).Distinct().Count());
        Assert.Equal(model.Seen[0].Tokens[..64], model.Seen[1].Tokens[..64]);
        Assert.Equal(model.Seen[0].Tokens[59..64], model.Seen[0].Tokens[1..6]);
        Assert.Equal(model.Seen[0].Tokens[64..], model.Seen[0].Tokens[6..8]);
    }

    [Fact]
    public void The_same_seed_gives_the_same_needles_and_another_gives_others()
    {
        TableModel first = Induction(Context), second = Induction(Context), third = Induction(Context);
        Task().Score(first);
        Task().Score(second);
        Task(Settings with { Seed = 10 }).Score(third);
        Assert.Equal(first.Seen.SelectMany(span => span.Tokens), second.Seen.SelectMany(span => span.Tokens));
        Assert.NotEqual(first.Seen.SelectMany(span => span.Tokens), third.Seen.SelectMany(span => span.Tokens));
    }

    [Fact]
    public void Greedy_continuation_must_give_the_value_itself()
    {
        IEnumerable<int> Copy(int[] context, int count)
        {
            for (int end = context.Length - 1; end >= 5; end--)
                if (context[(end - 5)..end].AsSpan().SequenceEqual(context[^5..])) return context[end..(end + count)];
            return [];
        }
        Assert.True(Task().ScoreGreedy(Context, Copy).IsPerfectUpTo(120));
        Assert.Equal(0, Task().ScoreGreedy(Context, (_, _) => [1]).Accuracy.Value);
    }

    [Fact]
    public void Everything_impossible_is_listed()
    {
        var exception = Assert.Throws<ArgumentException>(() => Task(new()
        {
            Lengths = [10, 500], Depths = [1.5], Items = 0, Candidates = 1,
        }).Score(Induction(Context)));
        foreach (string fault in new[] { "10 tokens", "500 tokens", "depth 1.5", "1 item", "2 candidates" }) Assert.Contains(fault, exception.Message);
        Assert.Contains("different tokens", Assert.Throws<ArgumentException>(() =>
            new NeedleTask([1, 1, 1], Bos, [], [], new() { Lengths = [32] }).Score(Induction(Context))).Message);
    }
}
