using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training;
using Finery.Training.Losses;
using Finery.Training.Optimizers;
using Finery.Training.Schedules;

namespace Finery.Tests.Training;

/// <summary>A network of a few thousand parameters and everything to train it.</summary>
internal sealed class TinyModel : IDisposable
{
    public static readonly ModelConfig Config = new()
    {
        VocabSize = 29, EmbeddingSize = 16, LayerCount = 2, HeadCount = 2, KvHeadCount = 1, HeadSize = 8, FeedForwardSize = 32,
        SequenceLength = 32,
    };

    public TinyModel(int threads = 1, DType weightType = DType.F32, MasterWeights masters = MasterWeights.Split)
    {
        Kernels = new CpuKernels(threads);
        Model = new(Config, seed: 5, trainable: true, weightType);
        Optimizer = new(Model.Parameters, new() { Masters = masters }, seed: 5);
    }

    public CpuKernels Kernels { get; }

    public LlamaModel Model { get; }

    public AdamW Optimizer { get; }

    /// <summary>Sequences with a rule in them; a third of the tokens of some are prompt, without loss.</summary>
    public static IReadOnlyList<TrainingExample> Examples(int count)
    {
        var examples = new TrainingExample[count];
        for (int i = 0; i < count; i++)
        {
            var ids = new int[6 + i * 5 % 11];
            ids[0] = 0;
            for (int t = 1; t < ids.Length; t++) ids[t] = 1 + (ids[t - 1] * 3 + i * 7 + t) % 28;
            int prompt = i % 2 == 0 ? 1 : ids.Length / 3;
            examples[i] = new(ids, [.. Enumerable.Range(0, ids.Length).Select(t => t >= prompt)]);
        }
        return examples;
    }

    public TrainingLoop Loop(TrainingLoopSettings settings, IBatchSource? source = null, TrainingLoss? loss = null, double peak = 3e-3) =>
        new(
            Kernels, Model, source ?? new PackedExamples(Examples(24), 16, 4, seed: 3), loss ?? new NextTokenLoss(), Optimizer,
            new WarmupStableDecay { Peak = peak, WarmupSteps = 2, DecaySteps = Math.Min(4, settings.Steps - 2) }, settings);

    public byte[] Weights() => [.. Model.Parameters.SelectMany(parameter => parameter.Weight.Bytes.ToArray())];

    public byte[] OptimizerState() => [.. Optimizer.State.SelectMany(state => state.Tensor.Bytes.ToArray())];

    public void Dispose()
    {
        Optimizer.Dispose();
        Model.Dispose();
        Kernels.Dispose();
    }
}

/// <summary>A folder that goes with the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("finery-test-").FullName;

    public void Dispose() => Directory.Delete(Path, recursive: true);
}
