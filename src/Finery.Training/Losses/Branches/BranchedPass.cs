using Finery.Data.Batches;
using Finery.Models;
using Finery.Tensors;

namespace Finery.Training.Losses.Branches;

/// <summary>
/// A trunk and branches from its stream. The trunk runs forward once; then each branch runs forward and backward before the next one
/// starts, and adds its gradient to the stream's; then the trunk runs backward. So all branches share one block of memory, and logits
/// and activations take what the largest branch does, however many there are (pretraining reference 4.1).
/// </summary>
internal sealed class BranchedPass : TrainingPass
{
    private readonly Kernels _kernels;
    private readonly Arena _arena;
    private readonly ModelInputs _inputs;
    private readonly Tape _trunk;
    private readonly ObjectivePart[] _onTrunk;
    private readonly Branch[] _branches;

    /// <param name="kernels">Does the work.</param>
    /// <param name="arena">Of all tapes; owned from here on.</param>
    /// <param name="inputs">Of all tapes.</param>
    /// <param name="trunk">Keeps the stream that branches read.</param>
    /// <param name="onTrunk">Terms that are recorded on the trunk.</param>
    /// <param name="branches">In order; the first always counts.</param>
    public BranchedPass(
        Kernels kernels, Arena arena, ModelInputs inputs, Tape trunk, IEnumerable<ObjectivePart> onTrunk, IEnumerable<Branch> branches)
    {
        (_kernels, _arena, _inputs, _trunk) = (kernels, arena, inputs, trunk);
        (_onTrunk, _branches) = ([.. onTrunk], [.. branches]);
        trunk.Plan();
        Tape[] tapes = [.. _branches.Select(branch => branch.Tape)];
        Tape.PlanTogether(tapes);
        MaxLogits = [.. trunk.MaxLogits, .. tapes.SelectMany(tape => tape.MaxLogits)];
        BranchBytes = tapes.Max(tape => tape.PlannedBytes);
    }

    public override int Tokens => _inputs.Tokens;

    public override long Bytes => _arena.Bytes;

    /// <summary>Bytes of the block that all branches share.</summary>
    public long BranchBytes { get; }

    /// <summary>Those of the model's layers in order, then those of the loss's own.</summary>
    public override IReadOnlyList<Tensor> MaxLogits { get; }

    public override double Run(PackedBatch batch, int first)
    {
        double loss = 0;
        LoadTrunk(batch, first);
        using (_kernels.Measure("forward")) _trunk.Forward();
        foreach (var branch in _branches)
        {
            if (!branch.Load(batch, first))
            {
                // What ran in an earlier step says nothing of this one.
                for (int i = 0; i < branch.Tape.MaxLogits.Count; i++) branch.Tape.MaxLogits[i].Floats.Clear();
                continue;
            }
            using (_kernels.Measure("forward")) branch.Tape.Forward();
            loss += branch.Evaluate(first);
            using (_kernels.Measure("backward")) branch.Tape.Backward();
        }
        foreach (var part in _onTrunk) loss += part.Evaluate(first);
        using (_kernels.Measure("backward")) _trunk.Backward();
        return loss;
    }

    public override NonFinite? Check(PackedBatch batch, int first)
    {
        LoadTrunk(batch, first);
        if (_trunk.CheckForward() is { } found) return found;
        foreach (var branch in _branches)
        {
            if (!branch.Load(batch, first)) continue;
            if ((branch.Tape.CheckForward() ?? branch.Tape.CheckBackward()) is { } inBranch) return inBranch;
        }
        return _trunk.CheckBackward();
    }

    public override void Dispose() => _arena.Dispose();

    private void LoadTrunk(PackedBatch batch, int first)
    {
        _inputs.Load(batch.Ids, batch.Positions, batch.Starts, first);
        foreach (var part in _onTrunk) part.Load(batch, first);
    }
}
