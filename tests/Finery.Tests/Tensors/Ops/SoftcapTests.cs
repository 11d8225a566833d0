using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors.Ops;

public class SoftcapTests : OpTest
{
    // Pretraining reference 11, case 8.
    [Theory, MemberData(nameof(AllKernels))]
    public void Golden_bounds(string name)
    {
        var (tanh, root) = (Matrix([50, -50, 0]), Matrix([50, -50, 0]));
        Create(name).Softcap(tanh, 30, SoftcapCurve.Tanh);
        Create(name).Softcap(root, 15, SoftcapCurve.InverseSquareRoot);
        AssertClose([27.933288f, -27.933288f, 0], tanh.Floats, 1e-7);
        AssertClose([14.367394f, -14.367394f, 0], root.Floats, 1e-7);
    }

    [Theory]
    [InlineData(SoftcapCurve.Tanh)]
    [InlineData(SoftcapCurve.InverseSquareRoot)]
    public void Cpu_matches_reference_at_ragged_widths(SoftcapCurve curve)
    {
        var expected = Normal(1, 20f, 5, 37);
        var actual = Copy(expected);
        Create("reference").Softcap(expected, 7, curve);
        Create("cpu2").Softcap(actual, 7, curve);
        AssertClose(expected, actual, 1e-6);
        Assert.Throws<ArgumentOutOfRangeException>(() => Create("cpu1").Softcap(actual, 0, curve));
    }
}
