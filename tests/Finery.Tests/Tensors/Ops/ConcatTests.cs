using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class ConcatTests : OpTest
{
    [Theory, MemberData(nameof(AllKernels))]
    public void Joins_rows_and_takes_them_apart_again(string name)
    {
        var kernels = Create(name);
        foreach (var type in (DType[])[DType.F32, DType.BF16])
        {
            foreach (var (left, right) in ((int, int)[])[(1, 1), (5, 3), (33, 17)])
            {
                Tensor Filled(int seed, int columns)
                {
                    var (values, tensor) = (Normal(seed, 35, columns), Arena.Allocate("filled", type, 35, columns));
                    for (int i = 0; i < values.Length; i++) tensor[i] = values[i];
                    return tensor;
                }
                var (a, b, y) = (Filled(1, left), Filled(2, right), Filled(3, left + right));
                kernels.ConcatForward(a, b, y);
                for (int i = 0; i < y.Length; i++)
                {
                    var (row, column) = Math.DivRem(i, left + right);
                    Assert.Equal(column < left ? a[row * left + column] : b[row * right + column - left], y[i]);
                }
                var (da, db) = (Filled(4, left), Filled(5, right));
                kernels.ConcatBackward(y, da, db);
                AssertSameBits(a, da);
                AssertSameBits(b, db);
            }
        }
    }

    [Theory, MemberData(nameof(AllKernels))]
    public void A_tape_gives_each_part_its_gradient(string name)
    {
        var (kernels, table, head) = (Create(name), Normal(1, 5, 6), Normal(2, 9, 12));
        var (a, b) = (Normal(3, 1, 6), Normal(4, 1, 6));
        (a.Gradient, b.Gradient) = (Zeros(1, 6), Zeros(1, 6));
        var tape = new Tape(kernels, Arena, gradients: true);
        var x = tape.RmsNorm(tape.Embedding(Integers(0, 1, 2), table), null, a, 1e-5f).Output;
        var y = tape.RmsNorm(tape.Embedding(Integers(4, 4, 3), table), null, b, 1e-5f).Output;
        var losses = tape.LinearCrossEntropy(tape.Concat(x, y), head, Integers(1, 8, 3), Matrix([1, 1, 1]), weightsKnown: true);
        double Loss()
        {
            tape.Forward();
            return losses.Floats.ToArray().Sum(loss => (double)loss);
        }
        Loss();
        tape.Backward();
        foreach (var gain in (Tensor[])[a, b])
        {
            float gradient = gain.Gradient!.Floats[2], kept = gain.Floats[2];
            gain.Floats[2] = kept + .01f;
            double up = Loss();
            gain.Floats[2] = kept - .01f;
            Assert.Equal(gradient, (up - Loss()) / .02, 1e-3);
            gain.Floats[2] = kept;
        }
    }
}
