using Finery.Cli.Inference;
using Finery.Data.Tokenizers;
using Finery.Models.Generation;
using Xunit;

namespace Finery.Tests.Cli.Inference;

public sealed class TextEngineTests : IDisposable
{
    private readonly TextEngine _engine = TinyEngine.Create();

    public void Dispose() => _engine.Dispose();

    [Fact]
    public void Greedy_text_repeats_and_the_last_piece_says_why_it_ended()
    {
        string first = TinyEngine.Complete(_engine, "Gets the", TinyEngine.Greedy(20));
        Assert.Equal(first, TinyEngine.Complete(_engine, "Gets the", TinyEngine.Greedy(20)));
        var last = _engine.Generate(_engine.EncodePrompt("Gets the"), TinyEngine.Greedy(20), CancellationToken.None).Last();
        Assert.Equal(20, last.Tokens);
        Assert.Equal(FinishReason.Length, last.Finish);
    }

    [Fact]
    public void A_stop_sequence_that_spans_tokens_never_shows()
    {
        string whole = TinyEngine.Complete(_engine, "Gets the", TinyEngine.Greedy(40));
        for (int start = 1; start + 5 < whole.Length; start += 3)
        {
            string stop = whole.Substring(start, 5);
            if (char.IsLowSurrogate(stop[0]) || char.IsHighSurrogate(stop[^1])) continue;
            var pieces = _engine.Generate(_engine.EncodePrompt("Gets the"), TinyEngine.Greedy(40, stop), CancellationToken.None)
                .ToList();
            Assert.Equal(whole[..whole.IndexOf(stop, StringComparison.Ordinal)],
                string.Concat(pieces.Select(piece => piece.Text)));
            Assert.Equal(FinishReason.Stop, pieces[^1].Finish);
        }
    }

    [Fact]
    public void Pieces_never_hold_half_a_character()
    {
        for (ulong seed = 0; seed < 20; seed++)
        {
            var request = new TextRequest(
                new GenerationSettings { MaxTokens = 60, Temperature = 2, TopK = 0, TopP = 1, Seed = seed }, []);
            foreach (var piece in _engine.Generate(_engine.EncodePrompt("\U0001F600"), request, CancellationToken.None))
            {
                for (int i = 0; i < piece.Text.Length; i++)
                {
                    if (char.IsHighSurrogate(piece.Text[i])) Assert.True(char.IsLowSurrogate(piece.Text[++i]));
                    else Assert.False(char.IsLowSurrogate(piece.Text[i]));
                }
            }
        }
    }

    [Fact]
    public void Log_probabilities_cover_exactly_the_tokens_shown()
    {
        var request = TinyEngine.Greedy(12) with { LogProbabilities = 3 };
        var tokens = _engine.Generate(_engine.EncodePrompt("Gets"), request, CancellationToken.None)
            .SelectMany(piece => piece.LogProbabilities).ToList();
        Assert.Equal(12, tokens.Count);
        Assert.All(tokens, token =>
        {
            Assert.True(token.Value <= 0);
            // Greedy: the token is the likeliest alternative.
            Assert.Equal(token.Id, token.Alternatives[0].Id);
            Assert.Equal(3, token.Alternatives.Count);
        });
    }

    [Fact]
    public void Generation_ends_where_the_context_ends()
    {
        int[] prompt = [.. Enumerable.Repeat(10, TinyEngine.Context - 3)];
        var last = _engine.Generate(prompt, TinyEngine.Greedy(50), CancellationToken.None).Last();
        Assert.Equal(3, last.Tokens);
        Assert.Equal(FinishReason.Length, last.Finish);
    }

    [Fact]
    public void Cancelling_frees_the_engine_for_the_next_text()
    {
        using var cancellation = new CancellationTokenSource();
        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (var piece in _engine.Generate(_engine.EncodePrompt("Gets"), TinyEngine.Greedy(50),
                cancellation.Token)) cancellation.Cancel();
        });
        Assert.NotEqual("", TinyEngine.Complete(_engine, "Gets", TinyEngine.Greedy(10)));
    }

    [Fact]
    public void Chat_prompts_are_the_templates()
    {
        ChatMessage[] messages = [new("user", "What does List.Count do?")];
        Assert.Equal(new ChatTemplate(TinyEngine.Tokenizer).EncodePrompt(messages),
            _engine.EncodeChat(messages));
    }
}
