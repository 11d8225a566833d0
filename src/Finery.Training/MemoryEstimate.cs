using System.Globalization;
using Finery.Models;
using Finery.Models.Generation;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Losses;
using Finery.Training.Losses.Distillation;
using Finery.Training.Optimizers;

namespace Finery.Training;

/// <summary>Bytes of native memory a model will take, known before any is allocated: the model is recorded on an outline, whose plan is
/// the one a real run makes.</summary>
/// <param name="Weights">Weights and rotary tables.</param>
/// <param name="Gradients">Gradients of the weights, fp32.</param>
/// <param name="OptimizerState">Moments of the optimizer, fp32, and what it keeps beside bf16 weights.</param>
/// <param name="Activations">Activations, their gradients and inputs; of inference, of a pass over a chunk of the prompt.</param>
/// <param name="Cache">Keys and values of a context, for inference.</param>
/// <param name="Scratch">Working memory of kernels.</param>
public sealed record MemoryEstimate(long Weights, long Gradients, long OptimizerState, long Activations, long Cache, long Scratch)
{
    /// <summary>All together.</summary>
    public long Total => Weights + Gradients + OptimizerState + Activations + Cache + Scratch;

    /// <summary>What training takes.</summary>
    /// <param name="config">Shape.</param>
    /// <param name="tokens">Tokens of a micro-batch.</param>
    /// <param name="recompute">What the backward pass computes again.</param>
    /// <param name="precision">F32, or BF16 matrices and activations inside layers.</param>
    /// <param name="optimizer">Of the run; null for AdamW as it is by default.</param>
    /// <param name="threads">Threads of the kernels.</param>
    /// <param name="weightsKnown">False for preference losses (see <see cref="Tape.LinearCrossEntropy"/>).</param>
    /// <param name="objective">What is minimised; null for the cross-entropy alone. A folder it names must be there, of a teacher only the
    /// configuration is read.</param>
    /// <exception cref="ArgumentException">The configuration is invalid; the message lists every error.</exception>
    public static MemoryEstimate OfTraining(
        ModelConfig config, int tokens, Recompute recompute = Recompute.None, DType precision = DType.F32,
        OptimizerSettings? optimizer = null, int threads = 1, bool weightsKnown = true, TrainingObjective? objective = null)
    {
        using var model = LlamaModel.Outline(config, trainable: true, precision);
        if (objective is not (null or NextTokenObjective)) return OfObjective(objective, model, tokens, recompute, optimizer, threads);
        using var arena = Arena.Outline("training");
        var tape = new Tape(null, arena, gradients: true, recompute, precision);
        model.Losses(
            tape, new ModelInputs(arena, tokens), arena.Integers("targets", tokens), arena.Floats("tokenWeights", tokens), weightsKnown);
        tape.Plan();
        long gradients = model.Parameters.Sum(parameter => parameter.Weight.Gradient!.ByteLength);
        optimizer ??= new AdamWOptimizerSettings();
        long scratch = ScratchOf(model, model.Parameters, tokens, threads, gradients: true) + optimizer.ScratchBytes(model.Parameters);
        return new(model.Bytes - gradients, gradients, optimizer.StateBytes(model.Parameters), arena.Bytes, 0, scratch);
    }

    private static MemoryEstimate OfObjective(
        TrainingObjective objective, LlamaModel model, int tokens, Recompute recompute, OptimizerSettings? optimizer, int threads)
    {
        using var loss = objective.CreateLoss(model, seed: 0);
        // Nothing runs on an outline.
        using var pass = loss.CreatePass(null!, model, tokens, recompute);
        Parameter[] parameters = [.. model.Parameters, .. loss.Parameters];
        long gradients = parameters.Sum(parameter => parameter.Weight.Gradient!.ByteLength);
        optimizer ??= new AdamWOptimizerSettings();
        long scratch = ScratchOf(model, parameters, tokens, threads, gradients: true) + optimizer.ScratchBytes(parameters);
        if (objective is DistillationObjective { Teacher: not null }) scratch += CpuKernels.EstimateDivergence(tokens, model.Config.VocabSize);
        return new(model.Bytes + loss.Bytes - gradients, gradients, optimizer.StateBytes(parameters), pass.Bytes, 0, scratch);
    }

    /// <summary>What generation from a cache takes.</summary>
    /// <param name="config">Shape.</param>
    /// <param name="contextLength">Tokens the cache has room for.</param>
    /// <param name="threads">Threads of the kernels.</param>
    /// <exception cref="ArgumentException">The configuration is invalid; the message lists every error.</exception>
    public static MemoryEstimate OfInference(ModelConfig config, int contextLength, int threads = 1)
    {
        using var model = LlamaModel.Outline(config, trainable: false);
        using var caches = Arena.Outline("cache");
        using var arena = Arena.Outline("inference");
        var cache = new KeyValueCache(caches, config.LayerCount, contextLength + Generator.ChunkTokens - 1, config.Attention);
        foreach (int tokens in new[] { Generator.ChunkTokens, 1 })
        {
            var pass = new Tape(null, arena, gradients: false);
            model.Hidden(pass, new ModelInputs(arena, tokens), cache);
            pass.Plan();
        }
        var head = new Tape(null, arena, gradients: false);
        model.Logits(head, arena.Floats("last", 1, config.EmbeddingSize));
        head.Plan();
        return new(model.Bytes, 0, 0, arena.Bytes, caches.Bytes, ScratchOf(model, model.Parameters, Generator.ChunkTokens, threads, gradients: false));
    }

    /// <summary>Bytes this process may still take: what the machine or its container allows, less what it holds already.</summary>
    public static long Available() => Math.Max(0, GC.GetGCMemoryInfo().TotalAvailableMemoryBytes - Environment.WorkingSet);

    /// <summary>Why this does not fit into <paramref name="available"/> bytes (see <see cref="Available"/>), with all figures; null where
    /// it does.</summary>
    public string? WhyNot(long available) => Total <= available ? null :
        $"Training needs {Text(Total)} of memory and {Text(available)} are available: weights {Text(Weights)}, gradients {Text(Gradients)}, "
        + $"optimizer {Text(OptimizerState)}, activations {Text(Activations)}, kernels {Text(Scratch)}.";

    private static long ScratchOf(LlamaModel model, IReadOnlyList<Parameter> parameters, int tokens, int threads, bool gradients)
    {
        var config = model.Config;
        var layers = parameters.Where(parameter => parameter.Weight.Shape.Length == 2)
            .Select(parameter => (parameter.Weight.Rows, parameter.Weight.Columns)).Distinct();
        return CpuKernels.EstimateScratch(
            tokens, config.SequenceLength, config.Attention, layers, config.VocabSize, config.EmbeddingSize, threads, gradients);
    }

    private static string Text(long bytes) => bytes >= 1 << 30
        ? string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 30):0.##} GiB")
        : string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1 << 20):0.#} MiB");
}
