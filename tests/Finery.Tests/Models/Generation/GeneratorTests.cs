using Finery.Models;
using Finery.Models.Generation;
using Finery.Models.Llama;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Models.Generation;

public sealed class GeneratorTests : IDisposable
{
    private readonly CpuKernels _kernels = new(1);
    private readonly LlamaModel _model = TinyModels.Create();

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(63)]
    [InlineData(64)]
    [InlineData(65)]
    [InlineData(128)]
    [InlineData(131)]
    public void Cached_logits_are_those_of_the_full_forward_pass(int length)
    {
        int[] ids = TinyModels.Ids(length);
        using var generator = new Generator(_model, _kernels);
        float[] cached = generator.NextLogits(ids).ToArray();
        float[] full = TinyModels.Logits(_model, _kernels, ids)[^61..];
        for (int i = 0; i < 61; i++) Assert.Equal(full[i], cached[i], 1e-4);
    }

    private static readonly ModelConfig[] Configs =
    [
        TinyModels.Config,
        TinyModels.Config with { NoRopeInterval = 2 },
        TinyModels.Config with { QkNorm = true },
        TinyModels.Config with { QkNorm = true, AttentionSoftcap = 2, LogitSoftcap = 4 },
        TinyModels.Config with
        {
            MaximalUpdate = new() { BaseEmbeddingSize = 10, BaseLayerCount = 1, EmbeddingMultiplier = 2, LogitsMultiplier = 8 },
        },
    ];

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Greedy_text_is_the_argmax_of_the_full_forward_pass(int index)
    {
        using var model = TinyModels.Create(Configs[index]);
        using var generator = new Generator(model, _kernels);
        List<int> text = [.. TinyModels.Ids(60)];
        int[] produced = [.. generator.Generate(text, GenerationSettings.Greedy with { MaxTokens = 12 })];
        Assert.Equal(FinishReason.Length, generator.Finish);
        Assert.Equal(12, produced.Length);
        foreach (int id in produced)
        {
            float[] logits = TinyModels.Logits(model, _kernels, [.. text])[^61..];
            Assert.Equal(Array.IndexOf(logits, logits.Max()), id);
            text.Add(id);
        }
    }

    [Fact]
    public void A_seed_reproduces_the_text_and_another_changes_it()
    {
        var settings = new GenerationSettings { Seed = 5, Temperature = 1.5f, MaxTokens = 30 };
        using var generator = new Generator(_model, _kernels);
        using var second = new Generator(_model, _kernels);
        int[] prompt = TinyModels.Ids(10);
        int[] text = [.. generator.Generate(prompt, settings)];
        Assert.Equal(text, generator.Generate(prompt, settings));
        Assert.Equal(text, second.Generate(prompt, settings));
        Assert.NotEqual(text, generator.Generate(prompt, settings with { Seed = 6 }));
    }

    [Fact]
    public void A_stop_token_ends_the_text_and_is_not_part_of_it()
    {
        using var generator = new Generator(_model, _kernels);
        var settings = new GenerationSettings { Temperature = 1.5f, MaxTokens = 40 };
        int[] prompt = TinyModels.Ids(10);
        int[] all = [.. generator.Generate(prompt, settings)];
        int stop = all[7];
        int[] until = [.. generator.Generate(prompt, settings, [stop])];
        Assert.Equal(all[..Array.IndexOf(all, stop)], until);
        Assert.Equal(FinishReason.Stop, generator.Finish);
    }

    [Fact]
    public void A_full_context_ends_the_text()
    {
        using var generator = new Generator(_model, _kernels, contextLength: 70);
        Assert.Equal(5, generator.Generate(TinyModels.Ids(65), new()).Count());
        Assert.Equal(FinishReason.Context, generator.Finish);
        Assert.Empty(generator.Generate(TinyModels.Ids(70), new()));
        Assert.Equal(FinishReason.Context, generator.Finish);
        Assert.Empty(generator.Generate(TinyModels.Ids(3), new() { MaxTokens = 0 }));
        Assert.Equal(FinishReason.Length, generator.Finish);
        using var whole = new Generator(_model, _kernels);
        Assert.Equal(10, whole.Generate(TinyModels.Ids(150), new()).Count());
    }

    [Fact]
    public void Impossible_prompts_are_refused_with_both_counts()
    {
        using var generator = new Generator(_model, _kernels, contextLength: 70);
        string message = Assert.Throws<ArgumentException>(() => generator.Generate(new int[71], new())).Message;
        Assert.Contains("71", message, StringComparison.Ordinal);
        Assert.Contains("70", message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => generator.Generate([], new()));
        Assert.Throws<ArgumentException>(() => generator.Generate([61], new()));
        Assert.Throws<ArgumentException>(() => generator.Generate([-1], new()));
        Assert.Throws<ArgumentException>(() => generator.Generate([1], new() { TopP = 2 }));
        Assert.Throws<ArgumentOutOfRangeException>(() => new Generator(_model, _kernels, contextLength: 161));
    }

    [Fact]
    public void A_second_text_cannot_begin_inside_the_first()
    {
        using var generator = new Generator(_model, _kernels);
        using (var first = generator.Generate([1, 2], new()).GetEnumerator())
        {
            Assert.True(first.MoveNext());
            Assert.Throws<InvalidOperationException>(() => generator.Generate([1], new()).First());
            Assert.Throws<InvalidOperationException>(() => generator.NextLogits([1])[0]);
        }
        Assert.Equal(FinishReason.None, generator.Finish);
        Assert.Equal(3, generator.Generate([1], new() { MaxTokens = 3 }).Count());
    }

    [Fact]
    public void Cancelling_ends_the_text_and_leaves_the_generator_usable()
    {
        using var generator = new Generator(_model, _kernels);
        using var source = new CancellationTokenSource();
        int count = 0;
        Assert.Throws<OperationCanceledException>(() =>
        {
            foreach (int _ in generator.Generate([1], new(), cancellation: source.Token))
            {
                if (++count == 4) source.Cancel();
            }
        });
        Assert.Equal(4, count);
        Assert.Throws<OperationCanceledException>(() => generator.Generate([1], new(), cancellation: source.Token).First());
        Assert.Single(generator.Generate([1], new() { MaxTokens = 1 }));
    }

    [Fact]
    public void Log_probabilities_are_those_of_the_full_forward_pass()
    {
        using var generator = new Generator(_model, _kernels);
        List<int> text = [.. TinyModels.Ids(5)];
        foreach (int id in generator.Generate([.. text], new() { MaxTokens = 5, Temperature = 2, TopK = 3 }))
        {
            float[] logits = TinyModels.Logits(_model, _kernels, [.. text])[^61..];
            double logSumExp = Math.Log(logits.Sum(logit => Math.Exp(logit)));
            Assert.Equal(logits[id] - logSumExp, generator.LogProbability(id), 1e-4);
            var top = generator.TopLogProbabilities(4);
            Assert.Equal(logits.OrderDescending().Take(4).Select(logit => logit - logSumExp),
                top.Select(t => (double)t.LogProbability), (a, b) => Math.Abs(a - b) < 1e-4);
            Assert.Contains(id, top.Take(3).Select(t => t.Id));
            text.Add(id);
        }
    }

    [Fact]
    public void A_kept_prefix_gives_the_same_bits()
    {
        using var fresh = new Generator(_model, _kernels);
        using var kept = new Generator(_model, _kernels, reusePrefix: true);
        int[] ids = TinyModels.Ids(150), branch = [.. ids[..100], .. TinyModels.Ids(20, seed: 9)];
        foreach (var (prompt, cached) in new (int[], int)[]
        {
            (ids[..70], 0), (ids, 64), (branch, 64), (ids[..64], 0), (ids[..65], 64), (ids[..129], 64), (ids[..129], 128),
            (ids, 128), ([5], 0),
        })
        {
            Assert.Equal(fresh.NextLogits(prompt).ToArray(), kept.NextLogits(prompt).ToArray());
            Assert.Equal(cached, kept.CachedTokens);
            Assert.Equal(fresh.Generate(prompt, new() { MaxTokens = 4 }), kept.Generate(prompt, new() { MaxTokens = 4 }));
        }
    }

    [Fact]
    public void Training_loss_scorer_and_generator_agree_on_every_token()
    {
        int[] ids = TinyModels.Ids(20);
        float[] losses = LlamaLosses(ids);
        using var generator = new Generator(_model, _kernels);
        for (int i = 1; i < ids.Length; i++)
        {
            generator.NextLogits(ids[..i]);
            Assert.Equal(losses[i - 1], -generator.LogProbability(ids[i]), 1e-4);
        }
    }

    public void Dispose()
    {
        _model.Dispose();
        _kernels.Dispose();
    }

    private float[] LlamaLosses(int[] ids)
    {
        using var scorer = new TokenScorer(_model, _kernels, ids.Length);
        return scorer.Score(ids, [.. Enumerable.Range(0, ids.Length)], new int[ids.Length], [.. ids[1..], -1]).ToArray();
    }
}
