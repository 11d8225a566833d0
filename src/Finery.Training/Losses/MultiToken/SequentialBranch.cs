using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Losses.Branches;

namespace Finery.Training.Losses.MultiToken;

/// <summary>Weights of one module: <c>h' = M [RMSNorm(Emb(t)) ; RMSNorm(h)]</c>, embedding first, as in the published checkpoints (the
/// paper's formula has the hidden state first); a decoder layer; a norm before the shared head.</summary>
internal sealed class SequentialModule(LlamaModules modules, int width, string prefix)
{
    /// <summary>[D].</summary>
    public Tensor EmbeddingNorm { get; } = modules.AddNorm(prefix + "enorm.weight", width);

    /// <summary>[D].</summary>
    public Tensor HiddenNorm { get; } = modules.AddNorm(prefix + "hnorm.weight", width);

    /// <summary>[D, 2 D].</summary>
    public Tensor Projection { get; } = modules.AddProjection(prefix + "eh_proj.weight", width, 2 * width);

    public int Layer { get; } = modules.AddLayer(prefix);

    /// <summary>[D].</summary>
    public Tensor HeadNorm { get; } = modules.AddNorm(prefix + "shared_head.norm.weight", width);
}

/// <summary>The chain of modules on one tape: module k reads the hidden state of the one before it and the token k ahead, keeps the positions
/// of the token it stands at, and predicts the token after that. Where the token ahead is of another document it reads token 0 and zeros,
/// and has no target.</summary>
internal sealed class SequentialBranch : Branch
{
    private readonly MultiTokenLoss _loss;
    private readonly Depth[] _depths;
    private readonly int[] _counts;

    public SequentialBranch(
        MultiTokenLoss loss, SequentialModule[] chain, LlamaModules modules, Tape tape, Arena arena, LlamaModel model, ModelInputs inputs,
        Tensor stream) : base(tape)
    {
        (_loss, _depths, _counts) = (loss, new Depth[chain.Length], new int[chain.Length]);
        int tokens = inputs.Tokens;
        float epsilon = model.Config.RmsNormEpsilon;
        Tensor[] keep = [.. chain.Select(_ => arena.Integers("sameDocument", tokens))];
        var fork = tape.Fork(stream, keep[0]);
        for (int i = 0; i < chain.Length; i++)
        {
            var module = chain[i];
            Tensor ids = arena.Integers("idsAhead", tokens);
            Tensor targets = arena.Integers("targets", tokens), weights = arena.Floats("tokenWeights", tokens);
            tape.Segment();
            var hidden = tape.RmsNorm(fork, null, module.HiddenNorm, epsilon).Output;
            var embedded = tape.RmsNorm(model.Embed(tape, ids), null, module.EmbeddingNorm, epsilon).Output;
            stream = tape.Linear(tape.Concat(embedded, hidden), module.Projection, wide: true);
            stream = modules.Layer(tape, stream, module.Layer, model.Config.LayerCount + i, inputs);
            // Before the head consumes the stream.
            if (i + 1 < chain.Length) fork = tape.Fork(stream, keep[i + 1]);
            tape.Segment();
            var losses = model.Losses(tape, model.FinalNorm(tape, stream, module.HeadNorm), targets, weights, weightsKnown: true);
            _depths[i] = new(ids, keep[i], targets, weights, losses);
        }
    }

    public override bool Load(PackedBatch batch, int first)
    {
        if (!_loss.Weights.ContainsAnyExcept(0.0))
        {
            for (int i = 0; i < _depths.Length; i++) _loss.Note(i + 1, first, double.NaN);
            return false;
        }
        for (int i = 0; i < _depths.Length; i++)
        {
            var depth = _depths[i];
            ShiftedTargets.LoadInputs(batch, first, i + 1, depth.Ids.Integers, depth.Keep.Integers);
            _counts[i] = ShiftedTargets.Load(batch, first, i + 1, _loss.Weights[i], depth.Targets.Integers, depth.Weights.Floats);
        }
        return true;
    }

    public override double Evaluate(int first)
    {
        double total = 0;
        for (int i = 0; i < _depths.Length; i++)
        {
            double sum = 0;
            foreach (float value in _depths[i].Losses.Floats) sum += value;
            _loss.Note(i + 1, first, _counts[i] == 0 ? 0 : sum / _counts[i]);
            total += Sum(_depths[i].Losses, _depths[i].Weights);
        }
        return total;
    }

    private sealed record Depth(Tensor Ids, Tensor Keep, Tensor Targets, Tensor Weights, Tensor Losses);
}
