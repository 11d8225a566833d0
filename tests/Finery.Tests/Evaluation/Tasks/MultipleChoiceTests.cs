using Finery.Evaluation.Tasks;
using Xunit;

namespace Finery.Tests.Evaluation.Tasks;

public class MultipleChoiceTests
{
    /// <summary>P = 2^-token, doubled after context token 9.</summary>
    private static TableModel Model(int contextLength = 16) =>
        new(16, contextLength, (context, token) => Math.Pow(2, -token) * (context[^1] == 9 ? 2 : 1));

    [Fact]
    public void Each_metric_normalises_its_own_way()
    {
        // Log2-likelihoods after 9: -2 and -5 (3 tokens: 2 3 1 with the first doubled); by characters -1 and -0.5; by bytes -1 and -1.25.
        var item = new MultipleChoiceItem([0, 9], [new([3], 2, 2), new([2, 3, 1], 10, 4)], Answer: 1);
        var result = new MultipleChoice([item], [0]).Score(Model());
        Assert.Equal(0, result.Accuracy.Value);
        Assert.Equal(1, result.AccuracyPerCharacter.Value);
        Assert.Equal(0.5 * Math.Log(2), result.AnswerNats.Value, 12);
        Assert.Equal(0, result.AccuracyPerByte.Value);
    }

    [Fact]
    public void Mutual_information_subtracts_what_is_likely_anyway()
    {
        var model = new TableModel(16, 16, (context, token) => (context[^1], token) switch
        {
            (0, 1) => 0.5,
            (9, 1) => 0.5,
            (0, 2) => 0.01,
            (9, 2) => 0.3,
            _ => 0.1,
        });
        var item = new MultipleChoiceItem([0, 9], [new([1], 1, 1), new([2], 1, 1)], Answer: 1);
        var result = new MultipleChoice([item], [0]).Score(model);
        Assert.Equal((0.0, 1.0), (result.Accuracy.Value, result.AccuracyMutualInformation.Value));
    }

    [Fact]
    public void Ties_go_to_the_first()
    {
        var item = new MultipleChoiceItem([0], [new([4], 1, 1), new([4], 1, 1)], Answer: 0);
        Assert.Equal(1, new MultipleChoice([item], [0]).Score(Model()).Accuracy.Value);
    }

    [Fact]
    public void Long_contexts_keep_their_end()
    {
        var model = Model(contextLength: 4);
        var item = new MultipleChoiceItem([0, 1, 2, 3, 5, 9], [new([1, 2], 1, 1), new([3], 1, 1)], Answer: 0);
        new MultipleChoice([item], [0]).Score(model);
        Assert.Equal([3, 5, 9, 1, 2], model.Seen[0].Tokens);
        Assert.Equal(3, model.Seen[0].First);
    }

    [Fact]
    public void Impossible_items_are_refused_with_their_number()
    {
        var good = new MultipleChoiceItem([0], [new([1], 1, 1), new([2], 1, 1)], 0);
        Assert.Contains("Item 1", Assert.Throws<ArgumentException>(
            () => new MultipleChoice([good, good with { Answer = 2 }], [0]).Score(Model())).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => new MultipleChoice([good with { Choices = [] }], [0]).Score(Model()));
        Assert.Throws<ArgumentException>(() => new MultipleChoice([good with { Context = [] }], [0]).Score(Model()));
        Assert.Throws<ArgumentException>(() => new MultipleChoice([], [0]).Score(Model()));
    }

    [Fact]
    public void Continuations_take_the_white_space_and_step_back_over_a_straddling_token()
    {
        // One token per word with its leading space; "ab" + "c" is one word.
        int[] Encode(string text)
        {
            var ids = new List<int>();
            for (int i = 0; i < text.Length; i++)
            {
                if (i == 0 || text[i] == ' ') ids.Add(0);
                ids[^1] = ids[^1] * 31 + text[i];
            }
            return [.. ids];
        }

        var (context, continuation) = ContinuationEncoding.Split(Encode, "one two ", "three", bosId: 7);
        Assert.Equal([7, .. Encode("one two")], context);
        Assert.Equal(Encode("one two three")[2..], continuation);
        (context, continuation) = ContinuationEncoding.Split(Encode, "one ab", "c", bosId: 7);
        Assert.Equal([7, .. Encode("one")], context);
        Assert.Equal(Encode("one abc")[1..], continuation);
        Assert.Throws<ArgumentException>(() => ContinuationEncoding.Split(Encode, "one", "", 7));
    }
}
