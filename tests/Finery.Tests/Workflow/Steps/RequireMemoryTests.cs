using Finery.Models;
using Finery.Tensors;
using Finery.Training;
using Finery.Workflow.Runs;
using Finery.Workflow.Steps;
using Xunit;

namespace Finery.Tests.Workflow.Steps;

public class RequireMemoryTests
{
    private static readonly ModelConfig Config = new()
    {
        VocabSize = 1000, EmbeddingSize = 1024, LayerCount = 8, HeadCount = 16, KvHeadCount = 4, HeadSize = 64, FeedForwardSize = 4096,
        SequenceLength = 1024,
    };

    [Fact]
    public void Training_that_does_not_fit_is_refused_before_anything_is_allocated()
    {
        // Two hundred million tokens at once: tens of terabytes of activations.
        var error = Assert.Throws<StepFailedException>(
            () => TrainingRun.RequireMemory(MemoryEstimate.OfTraining(Config, 200_000_000), Recompute.None));
        Assert.Equal(ExitCode.MissingPrerequisite, error.Code);
        foreach (string part in new[] { "Training needs", "are available", "activations", "'rows'", "recompute: full" })
            Assert.Contains(part, error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_is_allocated_already_is_not_asked_for_again()
    {
        TrainingRun.RequireMemory(MemoryEstimate.OfTraining(Config with { LayerCount = 1 }, 1024, Recompute.Full), Recompute.Full);
        TrainingRun.RequireMemory(MemoryEstimate.OfTraining(Config, 200_000_000), Recompute.None, held: 1L << 50);
    }
}
