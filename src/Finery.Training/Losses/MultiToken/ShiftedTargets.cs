using Finery.Data.Batches;

namespace Finery.Training.Losses.MultiToken;

/// <summary>Tokens further ahead within the same document: the element k after i counts only if <c>pos[i+k] == pos[i] + k</c>
/// (pretraining reference 4.1). Shift 0 is what a batch itself has.</summary>
internal static class ShiftedTargets
{
    /// <summary>Whether the token <paramref name="shift"/> after <paramref name="index"/> belongs to the same document.</summary>
    public static bool IsValid(PackedBatch batch, int index, int shift)
    {
        int ahead = index + shift;
        return ahead < batch.Count && batch.Positions[ahead] == batch.Positions[index] + shift;
    }

    /// <summary>The target <paramref name="shift"/> tokens after that of <paramref name="index"/>; -1 where there is none.</summary>
    public static int Target(PackedBatch batch, int index, int shift) =>
        IsValid(batch, index, shift) ? batch.Targets[index + shift] : -1;

    /// <summary>Targets of the whole step at a shift.</summary>
    public static int Count(PackedBatch batch, int shift)
    {
        if (shift == 0) return batch.TargetCount;
        int count = 0;
        for (int i = 0; i < batch.Count; i++) count += Target(batch, i, shift) >= 0 ? 1 : 0;
        return count;
    }

    /// <summary>Fills the targets of a micro-batch at a shift, and weights that add up to <paramref name="scale"/> over the step.</summary>
    /// <param name="batch">The whole step.</param>
    /// <param name="first">First token of the micro-batch.</param>
    /// <param name="shift">0 for the next token.</param>
    /// <param name="scale">Weight of the mean over all targets of the step.</param>
    /// <param name="targets">[N], overwritten.</param>
    /// <param name="weights">[N], overwritten.</param>
    /// <returns><see cref="Count"/>.</returns>
    public static int Load(PackedBatch batch, int first, int shift, double scale, Span<int> targets, Span<float> weights)
    {
        int count = Count(batch, shift);
        float each = count == 0 ? 0 : (float)(scale / count);
        for (int i = 0; i < targets.Length; i++)
        {
            targets[i] = Target(batch, first + i, shift);
            weights[i] = targets[i] < 0 ? 0 : shift > 0 ? each : (float)(scale * batch.Weights[first + i]);
        }
        return count;
    }

    /// <summary>Fills the tokens <paramref name="shift"/> ahead and whether they are of the same document; 0 and 0 where not.</summary>
    public static void LoadInputs(PackedBatch batch, int first, int shift, Span<int> ids, Span<int> keep)
    {
        for (int i = 0; i < ids.Length; i++)
        {
            bool valid = IsValid(batch, first + i, shift);
            ids[i] = valid ? batch.Ids[first + i + shift] : 0;
            keep[i] = valid ? 1 : 0;
        }
    }
}
