using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class ForkTests : OpTest
{
    [Theory, MemberData(nameof(AllKernels))]
    public void Copies_kept_rows_and_adds_their_gradients(string name)
    {
        var kernels = Create(name);
        foreach (int columns in (int[])[1, 19, 40])
        {
            var (h, dy, dh, y) = (Normal(1, 37, columns), Normal(2, 37, columns), Normal(3, 37, columns), Poisoned(37, columns));
            var keep = Integers([.. Enumerable.Range(0, 37).Select(i => i % 3 == 1 ? 0 : 1)]);
            var before = Copy(dh);
            kernels.ForkForward(h, keep, y);
            kernels.ForkBackward(dy, keep, dh);
            for (int i = 0; i < h.Length; i++)
            {
                bool kept = i / columns % 3 != 1;
                Assert.Equal(kept ? h[i] : 0, y[i]);
                Assert.Equal(kept ? (float)(before[i] + dy[i]) : before[i], dh[i]);
            }
            kernels.ForkForward(h, null, y);
            AssertSameBits(h, y);
        }
    }

    /// <summary>Gradient of a table that two branches read, one of them without its second row.</summary>
    private float[] TableGradient(Kernels kernels, Recompute recompute, bool first)
    {
        var (table, norm, other, ids) = (Normal(1, 5, 6), Normal(2, 1, 6), Normal(3, 1, 6), Integers(0, 3, 1));
        table.Gradient = Zeros(5, 6);
        var (targets, weights, head) = (Integers(1, 2, 3), Matrix([1, 2, 3]), Normal(4, 7, 6));
        var tape = new Tape(kernels, Arena, gradients: true, recompute);
        var stream = tape.Embedding(ids, table);
        void Forked()
        {
            var (_, x) = tape.RmsNorm(tape.Fork(stream, Integers(1, 0, 1)), null, other, 1e-5f);
            tape.LinearCrossEntropy(x, head, targets, weights, weightsKnown: true);
        }
        if (first) Forked();
        tape.Segment();
        var (_, y) = tape.RmsNorm(stream, null, norm, 1e-5f);
        tape.LinearCrossEntropy(y, head, targets, weights, weightsKnown: true);
        if (!first) Forked();
        tape.Forward();
        tape.Backward();
        return table.Gradient.Floats.ToArray();
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void Two_consumers_add_up(string name)
    {
        var kernels = Create(name);
        float[] both = TableGradient(kernels, Recompute.None, first: true);
        Assert.Equal(both, TableGradient(kernels, Recompute.Full, first: true));
        Assert.Equal(both, TableGradient(kernels, Recompute.Selective, first: true));

        float[] sum = new float[30];
        foreach (var (gain, keep) in ((int, int[])[])[(2, [1, 1, 1]), (3, [1, 0, 1])])
        {
            var (table, ids) = (Normal(1, 5, 6), Integers(0, 3, 1));
            table.Gradient = Zeros(5, 6);
            var tape = new Tape(kernels, Arena, gradients: true);
            var copy = tape.Fork(tape.Keep(tape.Embedding(ids, table)), Integers(keep));
            var (_, x) = tape.RmsNorm(copy, null, Normal(gain, 1, 6), 1e-5f);
            tape.LinearCrossEntropy(x, Normal(4, 7, 6), Integers(1, 2, 3), Matrix([1, 2, 3]), weightsKnown: true);
            tape.Forward();
            tape.Backward();
            for (int i = 0; i < 30; i++) sum[i] += table.Gradient.Floats[i];
        }
        AssertClose(sum, both, 1e-6);
    }

    [Fact]
    public void A_fork_behind_the_last_consumer_is_refused() =>
        Assert.Contains("fork it earlier", Assert.Throws<InvalidOperationException>(
            () => TableGradient(Create("cpu1"), Recompute.None, first: false)).Message, StringComparison.Ordinal);

    [Fact]
    public void Tapes_planned_together_share_one_block()
    {
        var (kernels, table, head) = (Create("cpu1"), Normal(1, 5, 6), Normal(4, 7, 6));
        Tape Record(int tokens)
        {
            var tape = new Tape(kernels, Arena, gradients: true);
            var (_, x) = tape.RmsNorm(tape.Embedding(Integers(new int[tokens]), table), null, Normal(2, 1, 6), 1e-5f);
            tape.LinearCrossEntropy(x, head, Integers(new int[tokens]), Zeros(tokens), weightsKnown: true);
            return tape;
        }
        Tape[] tapes = [Record(3), Record(40), Record(7)];
        long before = Arena.Bytes;
        Tape.PlanTogether(tapes);
        Assert.Equal(tapes[1].PlannedBytes, Arena.Bytes - before);
        foreach (var tape in tapes)
        {
            tape.Forward();
            tape.Backward();
        }
        Assert.Throws<ArgumentException>(() => Tape.PlanTogether(tapes));
        using var other = new Arena("other");
        Assert.Throws<ArgumentException>(() => Tape.PlanTogether([Record(1), new Tape(kernels, other, gradients: true)]));
    }

    [Fact]
    public void Allocates_nothing()
    {
        var (kernels, h, y) = (Create("cpu2"), Normal(1, 70, 9), Zeros(70, 9));
        AssertAllocatesNothing(() =>
        {
            kernels.ForkForward(h, null, y);
            kernels.ForkBackward(h, null, y);
        });
    }
}
