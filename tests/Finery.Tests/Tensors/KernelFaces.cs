using System.Reflection;
using Finery.Tensors;
using Xunit;

namespace Finery.Tests.Tensors;

/// <summary>Calls any op with arguments that fit together; a new op is found by itself and says here what it takes.</summary>
public abstract class KernelFaces : OpTest
{
    protected const int N = 5, D = 8, F = 6, V = 7;

    private static readonly AttentionShape Shape = new(2, 1, 4);

    /// <summary>Every op, by name: the public methods that take tensors.</summary>
    protected static IEnumerable<string> Names => typeof(Kernels).GetMethods()
        .Where(method => method.GetParameters().Any(parameter => parameter.ParameterType == typeof(Tensor)))
        .Select(method => method.Name).Distinct();

    public static TheoryData<string> Faces => [.. Names];

    /// <summary>Arguments of an op that fit together, by the names of its parameters.</summary>
    private object? Argument(string face, string name) => (face, name) switch
    {
        (_, "ids" or "positions" or "starts" or "targets" or "keep") => Integers(new int[N]),
        (nameof(Kernels.LinearSparseTargets), "softIds") => Arena.Integers("softIds", N, 2),
        (nameof(Kernels.LinearSparseTargets), "probabilities" or "logProbabilities") => Zeros(N, 2),
        (nameof(Kernels.LinearSparseTargets), "options") => new SparseTargetOptions(1),
        (_, "epsilon") => 1e-5f,
        (nameof(Kernels.Scale), "factor") => 2f,
        (nameof(Kernels.Softcap), "softcap") => 3f,
        (_, "curve") => SoftcapCurve.Tanh,
        ("QkNormForward" or "QkNormBackward", "scale") => Zeros(N, Shape.HeadCount + Shape.KvHeadCount),
        (_, "before") => Zeros(N, Shape.ValueOffset),
        (_, "queryGain" or "keyGain" or "dQueryGain" or "dKeyGain") => Zeros(Shape.HeadSize),
        (_, "inverse" or "accumulate") => false,
        (_, "shape" or "teacherShape") => Shape,
        (_, "length") => 0,
        (nameof(Kernels.Muon), "settings") => new MuonSettings(1e-3f, .9f, .1f),
        (nameof(Kernels.Sgd), "settings") => new SgdSettings(1e-3f, .9f, .1f),
        (_, "settings") => new AdamWSettings(1e-3f, .9f, .95f, 1e-8f, .1f, 1, 1),
        (nameof(Kernels.LinearDivergence), "tokenWeights") => Matrix([1, 1, 1, 1, 1]),
        (_, "scale" or "losses" or "tokenWeights" or "softWeights" or "divergences") => Zeros(N),
        (_, "master" or "masters" or "second") => null,
        (_, "rounding") => default(StochasticRounding),
        (_, "measure") => RowMeasure.Square,
        (nameof(Kernels.ConcatForward) or nameof(Kernels.ConcatBackward), "a" or "da") => Zeros(N, D - 3),
        (nameof(Kernels.ConcatForward) or nameof(Kernels.ConcatBackward), "b" or "db") => Zeros(N, 3),
        (nameof(Kernels.LinearDivergence), "options") => new DivergenceOptions(Divergence.Forward),
        (_, "options") => default(CrossEntropyOptions),
        ("LinearCrossEntropyForward" or "LinearCrossEntropyForwardBackward" or nameof(Kernels.LinearSparseTargets), "logSumExp") => Zeros(N),
        (_, "logSumExp") => Zeros(N, Shape.HeadCount),
        (_, "maxLogit") => Zeros(Shape.HeadCount),
        (nameof(Kernels.QkClip), "maxLogits") => Matrix([2, 2]),
        (_, "threshold") => 1f,
        (_, "rule") => QkClipRule.ByShape,
        (nameof(Kernels.QkClip), "weight") => Zeros(Shape.QkvColumns, D),
        (_, "saved") => Zeros(N, 3 * Shape.HeadCount),
        (_, "qkv" or "dQkv" or "teacherQkv") => Zeros(N, Shape.QkvColumns),
        (_, "cos" or "sin") => Zeros(N, Shape.HeadSize / 2),
        (_, "keys" or "values") => Zeros(9, Shape.KvHeadCount * Shape.HeadSize),
        ("SwiGluForward" or "SwiGluBackward", "y" or "dy") => Zeros(N, F),
        (_, "gateUp" or "dGateUp") => Zeros(N, 2 * F),
        ("LinearForward" or "LinearBackward", "y" or "dy" or "residual") => Zeros(N, F),
        ("LinearForward" or "LinearBackward", "weight" or "dWeight") => Zeros(F, D),
        (_, "table" or "dTable") => Zeros(V, D),
        (nameof(Kernels.LinearDivergence), "teacherWeight") => Zeros(V, D),
        ("LinearCrossEntropyForward" or "LinearCrossEntropyForwardBackward" or "LinearDivergence" or "LinearSparseTargets", "weight" or "dWeight") => Zeros(V, D),
        ("RmsNormForward" or "RmsNormBackward", "weight" or "dWeight") => Zeros(1, D),
        _ => Zeros(N, D),
    };

    protected (MethodInfo Method, object?[] Arguments) Call(string face)
    {
        var method = typeof(Kernels).GetMethods().Where(method => method.Name == face).MaxBy(method => method.GetParameters().Length)!;
        return (method, [.. method.GetParameters().Select(parameter => Argument(face, parameter.Name!))]);
    }
}
