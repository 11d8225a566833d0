using Finery.Data.Batches;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Losses.Branches;

namespace Finery.Training.Losses.MultiToken;

/// <summary>One softmax compared with the next token and with those after it, from the same logits: the weighted targets of the head are the
/// tokens further ahead, their weights over their number in the step.</summary>
internal sealed class SharedBranch : Branch
{
    private readonly MultiTokenLoss _loss;
    private readonly Tensor _targets, _tokenWeights, _ids, _weights, _softWeights;
    private readonly SparseTargetLosses _outputs;
    private readonly Tensor? _logSums;
    private readonly int[] _counts;
    private int _next;

    public SharedBranch(
        MultiTokenLoss loss, Tape tape, Arena arena, LlamaModel model, Tensor stream, Tensor targets, Tensor tokenWeights) : base(tape)
    {
        (_loss, _targets, _tokenWeights, _counts) = (loss, targets, tokenWeights, new int[loss.Weights.Length]);
        int tokens = targets.Columns;
        _ids = arena.Integers("targetsAhead", tokens, _counts.Length);
        _weights = arena.Floats("weightsAhead", tokens, _counts.Length);
        _softWeights = arena.Floats("softWeights", tokens);
        _logSums = loss.CreateLogSums(arena, tokens);
        _outputs = model.SparseLosses(
            tape, model.FinalNorm(tape, stream), targets, tokenWeights, _ids, _weights, _softWeights, new SparseTargetOptions(1), loss.ZLoss,
            _logSums);
    }

    public override bool Load(PackedBatch batch, int first)
    {
        _next = ShiftedTargets.Load(batch, first, 0, 1, _targets.Integers, _tokenWeights.Floats);
        bool counts = _loss.Weights.ContainsAnyExcept(0.0);
        Span<int> ids = _ids.Integers;
        Span<float> weights = _weights.Floats, softWeights = _softWeights.Floats;
        softWeights.Clear();
        for (int k = 0; k < _counts.Length; k++)
        {
            _counts[k] = ShiftedTargets.Count(batch, k + 1);
            float each = _counts[k] == 0 ? 0 : (float)(_loss.Weights[k] / _counts[k]);
            for (int i = 0; i < softWeights.Length; i++)
            {
                int at = i * _counts.Length + k, target = ShiftedTargets.Target(batch, first + i, k + 1);
                (ids[at], weights[at]) = (target, target < 0 ? 0 : each);
                if (counts && target >= 0) softWeights[i] = 1;
            }
        }
        return true;
    }

    public override double Evaluate(int first)
    {
        double total = CrossEntropy(_loss, 0, first, _next, _outputs.Losses, _logSums, _tokenWeights);
        ReadOnlySpan<float> logs = _outputs.LogProbabilities.Floats, weights = _weights.Floats;
        ReadOnlySpan<int> ids = _ids.Integers;
        for (int k = 0; k < _counts.Length; k++)
        {
            double ahead = 0, weighted = 0;
            for (int at = k; at < logs.Length; at += _counts.Length)
            {
                if (ids[at] < 0) continue;
                ahead -= logs[at];
                weighted -= logs[at] * (double)weights[at];
            }
            // Without weight nothing was computed.
            bool computed = _loss.Weights.ContainsAnyExcept(0.0);
            _loss.Note(k + 1, first, !computed ? double.NaN : _counts[k] == 0 ? 0 : ahead / _counts[k]);
            total += weighted;
        }
        return total;
    }
}
