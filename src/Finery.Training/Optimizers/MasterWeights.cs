using Finery.Models;
using Finery.Models.Weights;
using Finery.Tensors;

namespace Finery.Training.Optimizers;

/// <summary>What the optimizer keeps beside a BF16 weight, whose eight bits lose most updates otherwise.</summary>
public enum MasterWeights
{
    /// <summary>The low 16 bits: with the weight's they are the exact F32, of which the weight is the truncation. 2 bytes a weight, and
    /// the update is that of F32 to the bit.</summary>
    Split,

    /// <summary>The exact F32 beside the weight, which is its nearest BF16. 4 bytes a weight.</summary>
    F32,

    /// <summary>Nothing: updates are rounded stochastically, right on average.</summary>
    None,
}

/// <summary>The masters of all parameters of an optimizer.</summary>
internal sealed class Masters
{
    private readonly Tensor?[] _tensors;

    /// <param name="arena">Holds them.</param>
    /// <param name="prefix">Of their names.</param>
    /// <param name="parameters">With their weights.</param>
    /// <param name="kind">What is kept.</param>
    public Masters(Arena arena, string prefix, IReadOnlyList<Parameter> parameters, MasterWeights kind)
    {
        _tensors = [.. parameters.Select(parameter => Create(arena, prefix, parameter, kind))];
        State = [.. _tensors.OfType<Tensor>().Select(tensor => new NamedTensor(tensor.Name, tensor))];
    }

    /// <summary>For checkpoints.</summary>
    public IReadOnlyList<NamedTensor> State { get; }

    /// <summary>Of one parameter; null where its weight is all there is.</summary>
    public Tensor? this[int parameter] => _tensors[parameter];

    /// <summary>Bytes that masters of these parameters take.</summary>
    public static long Bytes(IReadOnlyList<Parameter> parameters, MasterWeights kind) =>
        parameters.Where(IsNarrow).Sum(parameter => parameter.Weight.Length)
        * kind switch { MasterWeights.Split => sizeof(ushort), MasterWeights.F32 => sizeof(float), _ => 0 };

    public static bool IsNarrow(Parameter parameter) => parameter.Weight.Type == DType.BF16;

    // A weight that was never updated has no low half.
    private static Tensor? Create(Arena arena, string prefix, Parameter parameter, MasterWeights kind)
    {
        if (!IsNarrow(parameter) || kind == MasterWeights.None) return null;
        var weight = parameter.Weight;
        if (kind == MasterWeights.Split) return arena.Allocate($"{prefix}.low.{parameter.Name}", DType.U16, weight.Shape);
        var master = arena.Floats($"{prefix}.master.{parameter.Name}", weight.Shape);
        for (int i = 0; i < weight.Length; i++) master.Floats[i] = (float)weight.BFloat16s[i];
        return master;
    }
}
