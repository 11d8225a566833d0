using Finery.Tensors;

namespace Finery.Models.Llama;

/// <summary>The forward pass in parts, for objectives that branch off inside the model.</summary>
public sealed partial class LlamaModel
{
    /// <summary>Whether the model has no memory (<see cref="Outline"/>).</summary>
    public bool IsOutline => _arena.IsOutline;

    /// <summary>An arena for what works on this model: an outline where the model is one, so that it is measured without being made.</summary>
    /// <param name="name">For errors.</param>
    public Arena CreateArena(string name) => IsOutline ? Arena.Outline(name) : new Arena(name);

    /// <summary>Records embedding and first layers.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="inputs">N tokens.</param>
    /// <param name="layers">How many layers.</param>
    /// <param name="tap">Called with the number of layers done, from 0 on, and the residual stream after them, before the next is recorded:
    /// what is forked off is forked here.</param>
    /// <param name="cache">As in <see cref="Hidden"/>.</param>
    /// <param name="attended">Called with the number of each layer, from 1 on, and what its attention is about to read: [N, (H + 2 KV) HS],
    /// queries and keys normed and rotated, of the shape in <see cref="ModelConfig.Attention"/>.</param>
    /// <returns>[N, D]: the residual stream.</returns>
    public Tensor Stream(
        Tape tape, ModelInputs inputs, int layers, Action<int, Tensor>? tap = null, KeyValueCache? cache = null,
        Action<int, Tensor>? attended = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(layers);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(layers, Config.LayerCount);
        var stream = Embed(tape, inputs.Ids);
        tap?.Invoke(0, stream);
        for (int i = 0; i < layers; i++)
        {
            tape.Segment();
            stream = Layer(tape, stream, _weights.Layers[i], i, inputs, cache, attended);
            tap?.Invoke(i + 1, stream);
        }
        return stream;
    }

    /// <summary>Records the layers that <see cref="Stream"/> left, each a segment.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="stream">[N, D] after the first layers.</param>
    /// <param name="inputs">N tokens.</param>
    /// <param name="from">Layers done.</param>
    /// <returns>[N, D]: the residual stream after the last layer.</returns>
    public Tensor Continue(Tape tape, Tensor stream, ModelInputs inputs, int from)
    {
        for (int i = from; i < _weights.Layers.Length; i++)
        {
            tape.Segment();
            stream = Layer(tape, stream, _weights.Layers[i], i, inputs, cache: null);
        }
        return stream;
    }

    /// <summary>Records the look-up of token embeddings, which starts a residual stream.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="ids">I32 [N].</param>
    /// <returns>[N, D].</returns>
    public Tensor Embed(Tape tape, Tensor ids) =>
        Scaled(tape, tape.Embedding(ids, _weights.Embedding), MaximalUpdate.EmbeddingFactor(Config));

    /// <summary>Records the norm between the last layer and the output head.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="stream">[N, D].</param>
    /// <returns>[N, D]: what the head reads.</returns>
    public Tensor FinalNorm(Tape tape, Tensor stream) => FinalNorm(tape, stream, _weights.Norm);

    /// <summary>Records a norm of one's own before the output head.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="stream">[N, D].</param>
    /// <param name="gain">F32 [D].</param>
    /// <returns>[N, D]: what the head reads.</returns>
    public Tensor FinalNorm(Tape tape, Tensor stream, Tensor gain) =>
        Scaled(tape, tape.RmsNorm(stream, null, gain, Config.RmsNormEpsilon).Output, MaximalUpdate.LogitsFactor(Config));

    /// <summary>Records the output head compared with a hard and K weighted targets of every row, from the same logits (see
    /// <see cref="Kernels.LinearSparseTargets"/>).</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="hidden">[N, D] from <see cref="Hidden"/>.</param>
    /// <param name="targets">I32 [N]; -1 for a token without hard target.</param>
    /// <param name="tokenWeights">[N].</param>
    /// <param name="softIds">I32 [N, K]; -1 for none.</param>
    /// <param name="probabilities">F32 [N, K].</param>
    /// <param name="softWeights">[N].</param>
    /// <param name="options">Temperature and bucket; the softcap is the model's.</param>
    /// <param name="zLoss">lambda of the z-loss of rows with a hard target.</param>
    /// <param name="logSumExp">[N]: receives the log-sum-exp of their logits, where given.</param>
    public SparseTargetLosses SparseLosses(
        Tape tape, Tensor hidden, Tensor targets, Tensor tokenWeights, Tensor softIds, Tensor probabilities, Tensor softWeights,
        SparseTargetOptions options, float zLoss = 0, Tensor? logSumExp = null) =>
        tape.LinearSparseTargets(
            hidden, _weights.Head, targets, tokenWeights, softIds, probabilities, softWeights, options with { Head = HeadOptions(zLoss) },
            logSumExp);

    /// <summary>Records the divergence of the output head from that of a teacher of the same vocabulary. Neither may have a softcap.</summary>
    /// <param name="tape">Records it.</param>
    /// <param name="hidden">[N, D] from <see cref="Hidden"/>.</param>
    /// <param name="teacher">Has the other head.</param>
    /// <param name="teacherHidden">[N, D'] from its <see cref="Hidden"/>, filled before each replay.</param>
    /// <param name="tokenWeights">[N]: dLoss/dloss[i].</param>
    /// <param name="options">Which divergence, at which temperature.</param>
    /// <returns>[N] losses.</returns>
    /// <exception cref="ArgumentException">A model bounds its logits.</exception>
    public Tensor Divergences(
        Tape tape, Tensor hidden, LlamaModel teacher, Tensor teacherHidden, Tensor tokenWeights, DivergenceOptions options)
    {
        if (Config.LogitSoftcap > 0 || teacher.Config.LogitSoftcap > 0)
            throw new ArgumentException("A divergence from a teacher needs models without final_logit_softcapping.", nameof(teacher));
        return tape.LinearDivergence(hidden, _weights.Head, teacherHidden, teacher._weights.Head, tokenWeights, options);
    }
}
