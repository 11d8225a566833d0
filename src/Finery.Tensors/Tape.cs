namespace Finery.Tensors;

/// <summary>
/// A recorded sequence of fused ops over fixed shapes. The model's forward pass is written once and runs once, to record; after
/// that each step only replays: <see cref="Forward"/>, then <see cref="Backward"/>, allocating nothing.
/// </summary>
/// <remarks>
/// Each op adds a partial of this class in its folder under <c>Ops/</c>. Gradients: parameters accumulate (the optimizer leaves them
/// zero), an activation's gradient is overwritten by its only consumer, and the tensors of one residual stream share one gradient
/// buffer that every norm adds to in place. Recording a second consumer of an activation is an error, so no gradient is ever lost.
/// </remarks>
/// <param name="kernels">Does the work.</param>
/// <param name="arena">Holds activations and their gradients.</param>
/// <param name="gradients">False records inference only: no gradient buffers, <see cref="Backward"/> is an error.</param>
public sealed partial class Tape(Kernels kernels, Arena arena, bool gradients)
{
    private readonly List<Operation> _operations = [];
    private readonly HashSet<Tensor> _consumed = [];

    /// <summary>Whether <see cref="Backward"/> is possible.</summary>
    public bool HasGradients => gradients;

    /// <summary>Runs all recorded ops in order.</summary>
    public void Forward()
    {
        foreach (var operation in _operations) operation.Forward(kernels);
    }

    /// <summary>Runs the backward pass of all recorded ops in reverse order, adding to the gradients of the parameters.</summary>
    /// <exception cref="InvalidOperationException">The tape records no gradients.</exception>
    public void Backward()
    {
        if (!gradients) throw new InvalidOperationException("This tape was recorded without gradients.");
        for (int i = _operations.Count - 1; i >= 0; i--) _operations[i].Backward(kernels);
    }

    private void Record(Operation operation) => _operations.Add(operation);

    /// <summary>Allocates an op's output, with its gradient where gradients are recorded.</summary>
    private Tensor Activation(string name, params ReadOnlySpan<int> shape)
    {
        var tensor = arena.Floats(name, shape);
        if (gradients) tensor.Gradient = arena.Floats("d" + name, shape);
        return tensor;
    }

    /// <summary>Marks <paramref name="tensor"/> as used by the op being recorded.</summary>
    private void Consume(Tensor tensor)
    {
        if (gradients && !_consumed.Add(tensor))
            throw new InvalidOperationException($"{tensor} already has a consumer on this tape; its gradient would be overwritten.");
    }

    /// <summary>One recorded op: which tensors, which kernels.</summary>
    private abstract class Operation
    {
        public abstract void Forward(Kernels kernels);

        public abstract void Backward(Kernels kernels);
    }
}
