using System.Runtime.InteropServices;

namespace Finery.Tensors;

public sealed unsafe partial class Tape
{
    private (Operation Operation, Pass Pass)[] _forward = [];
    private (Operation Operation, Pass Pass)[] _backward = [];
    private MemoryPlan? _plan;
    private byte* _block;

    /// <summary>Whether <see cref="Plan"/> was called.</summary>
    public bool IsPlanned => _plan is not null;

    /// <summary>Bytes of all activations and their gradients.</summary>
    /// <exception cref="InvalidOperationException">Nothing is planned yet.</exception>
    public long PlannedBytes => Planned.Bytes;

    /// <summary>What <see cref="PlannedBytes"/> would be if no two tensors shared memory.</summary>
    /// <exception cref="InvalidOperationException">Nothing is planned yet.</exception>
    public long UnsharedBytes => Planned.UnsharedBytes;

    /// <summary>False gives each tensor memory of its own: what tests compare with.</summary>
    internal bool SharesMemory { get; init; } = true;

    internal MemoryPlan Planned => _plan ?? throw new InvalidOperationException("This tape's memory is not planned yet: call Plan.");

    /// <summary>Ends recording: fixes the order of work, recomputation included, finds out when each tensor is in use, and puts all of
    /// them in one block of the arena in which tensors never in use together overlap. The first replay does it where nobody has.</summary>
    /// <exception cref="InsufficientMemoryException">The block does not fit; nothing has run yet.</exception>
    public void Plan()
    {
        if (IsPlanned) return;
        var (plan, placed) = Place();
        Bind(plan, placed, _arena.Reserve("activations", plan.Bytes));
    }

    /// <summary>Plans several tapes of one arena over one block, as large as the largest of them needs: for tapes that are replayed, forward
    /// and backward, one after another, and keep nothing meanwhile.</summary>
    /// <exception cref="ArgumentException">The tapes have different arenas, or one is planned already.</exception>
    public static void PlanTogether(IReadOnlyList<Tape> tapes)
    {
        if (tapes.Count == 0) return;
        var arena = tapes[0]._arena;
        if (tapes.Any(tape => tape._arena != arena || tape.IsPlanned))
            throw new ArgumentException("Tapes that share memory must have one arena, and none of them memory yet.", nameof(tapes));
        (MemoryPlan Plan, List<Tensor> Placed)[] places = [.. tapes.Select(tape => tape.Place())];
        byte* block = arena.Reserve("activations", places.Max(place => place.Plan.Bytes));
        for (int i = 0; i < places.Length; i++) tapes[i].Bind(places[i].Plan, places[i].Placed, block);
    }

    private (MemoryPlan Plan, List<Tensor> Placed) Place()
    {
        CheckForks();
        _forward = [.. _operations.Select(operation => (operation, Pass.Forward))];
        if (_gradients) _backward = [.. Recompute switch
        {
            Recompute.None => _operations.AsEnumerable().Reverse().Select(operation => (operation, Pass.Backward)),
            Recompute.Selective => RepeatCheapOps(),
            Recompute.Full => RepeatSegments(),
            _ => throw new InvalidOperationException($"Recompute is {Recompute}."),
        }];

        var lifespans = Lifespans();
        var plan = new MemoryPlan();
        var placed = _planned.Where(lifespans.ContainsKey).ToList();
        foreach (var tensor in placed) plan.Add(tensor.ByteLength, lifespans[tensor]);
        plan.Place(SharesMemory);
        return (plan, placed);
    }

    private void Bind(MemoryPlan plan, List<Tensor> placed, byte* block)
    {
        _plan = plan;
        _block = block;
        for (int i = 0; i < placed.Count && !_arena.IsOutline; i++) placed[i].Bind(block + plan.Offset(i));
    }

    /// <summary>Fills the memory of all activations and gradients with a byte: nothing may come of it.</summary>
    internal void Poison(byte value)
    {
        Plan();
        NativeMemory.Fill(_block, (nuint)PlannedBytes, value);
    }

    /// <summary>The tensors that have memory, and when each is in use.</summary>
    internal IReadOnlyList<(Tensor Tensor, IReadOnlyList<Lifespan> Lifespans)> PlannedTensors()
    {
        var lifespans = Lifespans();
        return [.. _planned.Where(lifespans.ContainsKey).Select(tensor => (tensor, (IReadOnlyList<Lifespan>)lifespans[tensor]))];
    }

    /// <summary>The backward pass where cheap ops are repeated right before the op that needs their output.</summary>
    private IEnumerable<(Operation, Pass)> RepeatCheapOps()
    {
        var cheap = new Dictionary<Tensor, Operation>();
        foreach (var operation in _operations.Where(operation => operation.IsCheap))
        {
            foreach (var output in operation.UsesOf(Pass.Repeat).Writes) cheap[output!] = operation;
        }
        for (int i = _operations.Count - 1; i >= 0; i--)
        {
            foreach (var input in _operations[i].UsesOf(Pass.Backward).Reads)
            {
                if (input is not null && cheap.TryGetValue(input, out var producer))
                    yield return (producer, Pass.Repeat);
            }
            yield return (_operations[i], Pass.Backward);
        }
    }

    /// <summary>The backward pass where each segment first repeats what it needs of its forward pass.</summary>
    private IEnumerable<(Operation, Pass)> RepeatSegments()
    {
        int end = _operations.Count;
        foreach (int start in _segments.AsEnumerable().Reverse())
        {
            var segment = _operations[start..end];
            end = start;
            var needed = segment.SelectMany(operation => operation.UsesOf(Pass.Backward).Reads).OfType<Tensor>().ToHashSet();
            var repeats = new List<(Operation, Pass)>();
            for (int i = segment.Count - 1; i >= 0; i--)
            {
                var operation = segment[i];
                // What the first op carries is what crosses the border.
                var pass = i == 0 && operation.Carried is not null ? Pass.Repeat : Pass.Forward;
                var uses = operation.UsesOf(pass);
                if (!operation.IsRepeatable || !uses.Writes.Any(output => output is not null && needed.Contains(output))) continue;
                repeats.Add((operation, pass));
                needed.UnionWith(uses.Reads.OfType<Tensor>());
            }
            foreach (var repeat in repeats.AsEnumerable().Reverse()) yield return repeat;
            foreach (var operation in segment.AsEnumerable().Reverse()) yield return (operation, Pass.Backward);
        }
    }

    /// <summary>When each tensor of the tape is in use. Moments are the passes in order; one between forward and backward is the
    /// caller's, who then reads outputs and writes their gradients.</summary>
    private Dictionary<Tensor, List<Lifespan>> Lifespans()
    {
        var mine = _planned.ToHashSet();
        var read = new HashSet<Tensor>();
        var lifespans = new Dictionary<Tensor, List<Lifespan>>();
        int moment = 0;

        void Note(Tensor tensor, bool beginsAnew)
        {
            if (!mine.Contains(tensor)) return;
            if (!lifespans.TryGetValue(tensor, out var spans)) lifespans[tensor] = spans = [];
            // An overwritten tensor is unused since it was last read.
            if (spans.Count == 0 || beginsAnew) spans.Add(new(moment, moment));
            else spans[^1] = spans[^1] with { End = moment };
        }

        void Walk(IEnumerable<(Operation Operation, Pass Pass)> passes)
        {
            foreach (var (operation, pass) in passes)
            {
                var uses = operation.UsesOf(pass);
                foreach (var tensor in uses.Reads.OfType<Tensor>()) Note(tensor, beginsAnew: false);
                foreach (var tensor in uses.Writes.OfType<Tensor>()) Note(tensor, beginsAnew: !uses.Reads.Contains(tensor));
                if (pass == Pass.Forward) read.UnionWith(uses.Reads.OfType<Tensor>());
                moment++;
            }
        }

        Walk(_forward);
        moment++;
        Walk(_backward);

        // What callers may read keeps its memory to itself, from one replay to the next.
        foreach (var tensor in _planned.Where(tensor => _kept.Contains(tensor) || (_outputs.Contains(tensor) && !read.Contains(tensor))))
        {
            lifespans[tensor] = [new(0, moment)];
            if (tensor.Gradient is { } gradient && mine.Contains(gradient)) lifespans[gradient] = [new(0, moment)];
        }
        return lifespans;
    }
}
