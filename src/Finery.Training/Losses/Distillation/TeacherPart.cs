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
    /// <param name="layers">Whose hidden states are wanted, from 1.</param>
    /// <param name="needed">Whether it need run in the step in progress.</param>
    public TeacherPart(Kernels kernels, Arena arena, LlamaModel teacher, ModelInputs inputs, int[] layers, Func<bool> needed)
    {
        (_kernels, _needed) = (kernels, needed);
        _tape = new Tape(kernels, arena, gradients: false, activations: teacher.WeightType);
        Features = new Tensor[layers.Length];
        var stream = teacher.Stream(_tape, inputs, teacher.Config.LayerCount, (layer, end) =>
        {
            // A stream without gradients is overwritten by the next layer.
            for (int i = 0; i < layers.Length; i++)
                if (layers[i] == layer) Features[i] = _tape.Keep(_tape.Fork(end));
        });
        Hidden = _tape.Keep(teacher.FinalNorm(_tape, stream));
        _tape.Plan();
    }

    /// <summary>[N, D'] of each layer asked for.</summary>
    public Tensor[] Features { get; }

    /// <summary>[N, D']: what the teacher's head reads.</summary>
    public Tensor Hidden { get; }

    public override bool Load(PackedBatch batch, int first)
    {
        if (!_needed()) return false;
        using (_kernels.Measure("teacher")) _tape.Forward();
        return true;
    }

    public override double Evaluate(int first) => 0;
}
