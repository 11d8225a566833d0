using Finery.Data.Tokenizers;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Models.Weights;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Workflow.Steps;

public sealed class AverageStepTests : IDisposable
{
    private static readonly Tokenizer Tokenizer = new BpeTrainer { VocabSize = 300, Threads = 1 }.Train(["one two three two one", "three four"]);

    private readonly RecordingContext _context = new();

    public void Dispose() => _context.Dispose();

    private Artifact Saved(ulong seed, Tokenizer? tokenizer = null)
    {
        tokenizer ??= Tokenizer;
        using var model = new LlamaModel(new ModelConfig
        {
            VocabSize = tokenizer.VocabSize, EmbeddingSize = 8, LayerCount = 1, HeadCount = 2, KvHeadCount = 1, HeadSize = 4,
            FeedForwardSize = 12, SequenceLength = 16,
        }, seed, trainable: false);
        string folder = Path.Combine(_context.Folder, "in", seed.ToString(System.Globalization.CultureInfo.InvariantCulture));
        ModelFolder.Save(model, tokenizer, folder, "pretrain");
        return new(ArtifactKind.Model, folder);
    }

    [Fact]
    public void The_output_is_a_model_with_the_tokenizer_of_the_first()
    {
        Artifact a = Saved(1), b = Saved(2);
        new AverageStep { Models = [a, b], Weights = [0.25, 0.75] }.Run(_context);
        using LlamaModel first = LlamaModel.Load(a.Path, trainable: false), second = LlamaModel.Load(b.Path, trainable: false);
        using var mean = LlamaModel.Load(_context.Output("model"), trainable: false);
        for (int i = 0; i < 20; i++)
        {
            Assert.Equal(
                0.25 * first.Parameters[0].Weight.Floats[i] + 0.75 * second.Parameters[0].Weight.Floats[i],
                mean.Parameters[0].Weight.Floats[i], 1e-7);
        }
        Assert.Equal(Tokenizer.Fingerprint, TokenizerFile.Load(_context.Output("model")).Fingerprint);
        Assert.Equal(2, (int)_context.Summary["models"]!);
    }

    [Fact]
    public void Models_of_another_tokenizer_are_refused()
    {
        var other = new BpeTrainer { VocabSize = 290, Threads = 1 }.Train(["five six seven five six seven"]);
        var exception = Assert.Throws<RecipeException>(() => new AverageStep { Models = [Saved(1), Saved(2, other)] }.Run(_context));
        Assert.Contains("another tokenizer", exception.Message);
    }

    [Theory]
    [InlineData(new double[0], null)]
    [InlineData(new[] { 0.5, 0.5 }, null)]
    [InlineData(new[] { 1.0 }, "1 weights for 2 models")]
    [InlineData(new[] { 1.5, -0.5 }, "negative")]
    [InlineData(new[] { 0.5, 0.6 }, "sum to 1.1")]
    public void Weights_are_checked_before_anything_runs(double[] weights, string? fault)
    {
        var artifact = new Artifact(ArtifactKind.Model, "x");
        string[] faults = [.. new AverageStep { Models = [artifact, artifact], Weights = weights }.Validate().Select(one => one.Message)];
        if (fault is null) Assert.Empty(faults);
        else Assert.Contains(fault, Assert.Single(faults));
    }

    [Fact]
    public void The_step_is_in_the_catalogue_and_bf16_can_be_asked_for()
    {
        Assert.Equal(typeof(AverageStep), StepCatalogue.Steps["average"]);
        new AverageStep { Models = [Saved(1), Saved(2)], Type = SafeTensorType.BF16 }.Run(_context);
        Assert.Equal(SafeTensorType.BF16, ModelConfig.Load(_context.Output("model")).StoredType);
    }
}
