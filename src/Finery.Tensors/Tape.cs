namespace Finery.Tensors;

/// <summary>
/// A recorded sequence of fused ops over fixed shapes. The model's forward pass is written once and runs once, to record; then all
/// memory is planned (<see cref="Plan"/>), and each step only replays: <see cref="Forward"/>, then <see cref="Backward"/>, allocating
/// nothing.
/// </summary>
/// <remarks>
/// Each op adds a partial of this class in its folder under <c>Ops/</c>. Gradients: parameters accumulate (the optimizer leaves them
/// zero), an activation's gradient is overwritten by its only consumer, and the tensors of one residual stream share one gradient
/// buffer that every norm adds to in place. Recording a second consumer of an activation is an error, so no gradient is ever lost.
/// Activations share memory: after a replay only those that no op consumed, and those given to <see cref="Keep"/>, can be read.
/// </remarks>
public sealed partial class Tape
{
    private readonly Kernels? _kernels;
    private readonly Arena _arena;
    private readonly bool _gradients;
    private readonly DType _activations;
    private readonly List<Operation> _operations = [];
    private readonly List<int> _segments = [0];
    private readonly List<Tensor> _planned = [];
    private readonly HashSet<Tensor> _outputs = [];
    private readonly HashSet<Tensor> _kept = [];
    private readonly HashSet<Tensor> _consumed = [];

    /// <summary>An empty tape.</summary>
    /// <param name="kernels">Does the work; null on a tape that is only measured.</param>
    /// <param name="arena">Holds activations and their gradients.</param>
    /// <param name="gradients">False records inference only: no gradient buffers, <see cref="Backward"/> is an error.</param>
    /// <param name="recompute">What the backward pass computes again.</param>
    /// <param name="activations">Type of the activations inside branches and of their gradients; the residual stream and its gradient
    /// stay of the arena's type of floats.</param>
    public Tape(
        Kernels? kernels, Arena arena, bool gradients, Recompute recompute = Recompute.None, DType activations = DType.F32)
    {
        (_kernels, _arena, _gradients, Recompute, _activations) = (kernels, arena, gradients, recompute, activations == DType.F32 ? arena.FloatType : activations);
        if (kernels is null && !arena.IsOutline)
            throw new ArgumentException("A tape without kernels cannot run: give it an arena that is an outline.", nameof(kernels));
    }

    /// <summary>Whether <see cref="Backward"/> is possible.</summary>
    public bool HasGradients => _gradients;

    /// <summary>What the backward pass computes again.</summary>
    public Recompute Recompute { get; }

    /// <summary>Runs all recorded ops in order.</summary>
    public void Forward()
    {
        Plan();
        foreach (var (operation, pass) in _forward) operation.Run(_kernels!, pass);
    }

    /// <summary>Runs the backward pass of all recorded ops in reverse order, adding to the gradients of the parameters.</summary>
    /// <exception cref="InvalidOperationException">The tape records no gradients.</exception>
    public void Backward()
    {
        RequireGradients();
        Plan();
        foreach (var (operation, pass) in _backward) operation.Run(_kernels!, pass);
    }

    /// <summary>Begins a segment, usually a layer: with <see cref="Recompute.Full"/> what is inside segments is computed again, what
    /// crosses their borders is kept.</summary>
    public void Segment()
    {
        if (_segments[^1] != _operations.Count) _segments.Add(_operations.Count);
    }

    /// <summary>Lets <paramref name="tensor"/> be read after a replay, and its gradient, at the price of memory of its own.</summary>
    /// <exception cref="InvalidOperationException">Memory is planned already.</exception>
    public Tensor Keep(Tensor tensor)
    {
        RequireOpen();
        _kept.Add(tensor);
        return tensor;
    }

    private void Record(Operation operation)
    {
        RequireOpen();
        _operations.Add(operation);
    }

    /// <summary>An op's output inside a branch, with its gradient where gradients are recorded; it has no memory before the plan.</summary>
    private Tensor Activation(string name, params ReadOnlySpan<int> shape) => WithGradient(name, _activations, shape);

    /// <summary>A tensor of the residual stream, or another whose precision matters, with its gradient.</summary>
    private Tensor WideActivation(string name, params ReadOnlySpan<int> shape) => WithGradient(name, _arena.FloatType, shape);

    /// <summary>A tensor without gradient that the backward pass may need; it has no memory before the plan.</summary>
    private Tensor Saved(string name, params ReadOnlySpan<int> shape) => Unplanned(name, _arena.FloatType, shape);

    private Tensor WithGradient(string name, DType type, ReadOnlySpan<int> shape)
    {
        var tensor = Unplanned(name, type, shape);
        if (_gradients) tensor.Gradient = Unplanned("d" + name, type, shape);
        _outputs.Add(tensor);
        return tensor;
    }

    private Tensor Unplanned(string name, DType type, ReadOnlySpan<int> shape)
    {
        RequireOpen();
        var tensor = Tensor.WithoutMemory(name, type, shape);
        _planned.Add(tensor);
        return tensor;
    }

    /// <summary>Marks <paramref name="tensor"/> as used by the op being recorded.</summary>
    private void Consume(Tensor tensor)
    {
        if (_gradients && !_consumed.Add(tensor))
            throw new InvalidOperationException($"{tensor} already has a consumer on this tape; its gradient would be overwritten.");
    }

    private void RequireOpen()
    {
        if (IsPlanned) throw new InvalidOperationException("This tape's memory is planned: nothing more can be recorded on it.");
    }

    private void RequireGradients()
    {
        if (!_gradients) throw new InvalidOperationException("This tape was recorded without gradients.");
    }

    /// <summary>What is done of an op.</summary>
    private enum Pass
    {
        /// <summary>The forward pass.</summary>
        Forward,

        /// <summary>The forward pass from <see cref="Operation.Carried"/>, during the backward pass.</summary>
        Repeat,

        /// <summary>The backward pass.</summary>
        Backward,
    }

    /// <summary>Tensors an op reads and writes. What is changed in place, added to included, is in both. Null stands for none.</summary>
    private readonly record struct Uses(Tensor?[] Reads, Tensor?[] Writes);

    /// <summary>One recorded op: which tensors, which kernels.</summary>
    private abstract class Operation
    {
        /// <summary>For reports.</summary>
        public string Name => GetType().Name.Replace("Operation", "", StringComparison.Ordinal);

        /// <summary>An output kept from the forward pass from which the others can be computed again by <see cref="Repeat"/>.</summary>
        public virtual Tensor? Carried => null;

        /// <summary>A tensor to whose gradient it adds, which an op recorded later must have written.</summary>
        public virtual Tensor? Forked => null;

        /// <summary>Whether its forward pass may run a second time: not where it adds to something.</summary>
        public virtual bool IsRepeatable => true;

        /// <summary>Whether computing its outputs again costs next to nothing (<see cref="Recompute.Selective"/>).</summary>
        public virtual bool IsCheap => false;

        /// <summary>What a pass reads and writes; known only once recording is over.</summary>
        public abstract Uses UsesOf(Pass pass);

        public abstract void Forward(Kernels kernels);

        public virtual void Repeat(Kernels kernels) => Forward(kernels);

        public abstract void Backward(Kernels kernels);

        public void Run(Kernels kernels, Pass pass)
        {
            switch (pass)
            {
                case Pass.Forward: Forward(kernels); break;
                case Pass.Repeat: Repeat(kernels); break;
                default: Backward(kernels); break;
            }
        }
    }
}
