using Finery.Data.Batches;
using Finery.Models;
using Finery.Models.Llama;
using Finery.Tensors;
using Finery.Training.Losses.Branches;

namespace Finery.Training.Losses.Distillation;

/// <summary>The teacher's forward pass, without gradients, before the model's.</summary>
internal sealed class TeacherPart : ObjectivePart
{
    private readonly Kernels _kernels;
    private readonly Tape _tape;
    private readonly Func<bool> _needed;

    /// <param name="kernels">Does the work.</param>
    /// <param name="arena">Holds what the teacher says.</param>
    /// <param name="teacher">Runs.</param>
    /// <param name="inputs">The model's own.</param>
    /// <param name="features">Layers whose hidden states are wanted, from 1.</param>
    /// <param name="attended">Layers whose queries and keys are wanted, from 1.</param>
    /// <param name="needed">Whether it need run in the step in progress.</param>
    public TeacherPart(
        Kernels kernels, Arena arena, LlamaModel teacher, ModelInputs inputs, int[] features, int[] attended, Func<bool> needed)
    {
        (_kernels, _needed) = (kernels, needed);
        _tape = new Tape(kernels, arena, gradients: false, activations: teacher.WeightType);
        Features = new Tensor[features.Length];
        Attended = new Tensor[attended.Length];
        var stream = teacher.Stream(
            _tape, inputs, teacher.Config.LayerCount,
            // A stream without gradients is overwritten by the next layer.
            (layer, end) => Take(Features, features, layer, () => _tape.Keep(_tape.Fork(end))),
            attended: (layer, qkv) => Take(Attended, attended, layer, () => _tape.Keep(qkv)));
        Hidden = _tape.Keep(teacher.FinalNorm(_tape, stream));
        _tape.Plan();
    }

    /// <summary>[N, D'] of each layer asked for.</summary>
    public Tensor[] Features { get; }

    /// <summary>[N, (H' + 2 KV') HS'] of each layer asked for, as its attention reads it.</summary>
    public Tensor[] Attended { get; }

    /// <summary>[N, D']: what the teacher's head reads.</summary>
    public Tensor Hidden { get; }

    public override bool Load(PackedBatch batch, int first)
    {
        if (!_needed()) return false;
        using (_kernels.Measure("teacher")) _tape.Forward();
        return true;
    }

    public override double Evaluate(int first) => 0;

    private static void Take(Tensor[] places, int[] layers, int layer, Func<Tensor> tensor)
    {
        for (int i = 0; i < layers.Length; i++)
            if (layers[i] == layer) places[i] = tensor();
    }
}
