using System.Text;

namespace Finery.Data.Tokenizers;

internal enum RegexOp : byte
{
    Match, Text, Set, Repeat, LazyRepeat, PossessiveRepeat, Branch, LazyBranch, Jump, LoopEnter, LoopCheck,
    AtomicEnter, AtomicLeave, LookEnter, LookLeave, NotEnter, NotLeave, Behind, NextIs, NextIsNot, At,
}

/// <summary>One step of a compiled expression. Which fields count depends on <see cref="Op"/>.</summary>
internal readonly record struct RegexInstruction(RegexOp Op)
{
    /// <summary>Where to go else; by default the next instruction follows.</summary>
    public int Target { get; init; }

    /// <summary>First of the registers used.</summary>
    public int Register { get; init; }

    public int Least { get; init; }

    public int Most { get; init; }

    /// <summary>What is matched; for <see cref="RegexOp.Branch"/> what the preferred way begins with, null where that may be
    /// anything.</summary>
    public CodePointSet? Set { get; init; }

    /// <summary>For <see cref="RegexOp.Branch"/>: what the other way begins with, null where that may be anything.</summary>
    public CodePointSet? OtherSet { get; init; }

    public byte[]? Text { get; init; }

    public Anchor Anchor { get; init; }
}

/// <summary>Compiles nodes to a flat program.</summary>
internal sealed class CodePointRegexProgram
{
    /// <summary>Nodes compiled at most: repeats of groups are written out, and repeats of repeats multiply.</summary>
    private const int MostNodes = 20_000;

    private readonly List<RegexInstruction> _program = [];
    private int _registers, _nodes;

    public static (RegexInstruction[] Program, int Registers) Compile(RegexNode root)
    {
        var compiler = new CodePointRegexProgram();
        compiler.Add(root);
        compiler.Emit(new(RegexOp.Match));
        return ([.. compiler._program], compiler._registers);
    }

    private void Add(RegexNode node)
    {
        if (++_nodes > MostNodes)
            throw new NotSupportedException($"Its repeated groups written out make more than {MostNodes:N0} steps: shorten it.");
        switch (node)
        {
            case SetNode one:
                Emit(one.Set.Single is { } codePoint
                    ? new(RegexOp.Text) { Text = Encoding.UTF8.GetBytes(char.ConvertFromUtf32(codePoint)) }
                    : new(RegexOp.Set) { Set = one.Set });
                break;
            case SequenceNode sequence:
                AddSequence(sequence.Items);
                break;
            case ChoiceNode choice:
                AddChoice(choice.Alternatives, behind: false);
                break;
            case RepeatNode { Body: SetNode one } repeat:
                RegexOp op = repeat.Greed switch
                {
                    Greed.Lazy => RegexOp.LazyRepeat,
                    Greed.Possessive => RegexOp.PossessiveRepeat,
                    _ => RegexOp.Repeat,
                };
                Emit(new(op) { Set = one.Set, Least = repeat.Least, Most = repeat.Most });
                break;
            case RepeatNode { Greed: Greed.Possessive } repeat:
                Add(new AtomicNode(new RepeatNode(repeat.Body, repeat.Least, repeat.Most, Greed.Greedy)));
                break;
            case RepeatNode repeat:
                AddRepeat(repeat);
                break;
            case AtomicNode atomic:
                int register = _registers++;
                Emit(new(RegexOp.AtomicEnter) { Register = register });
                Add(atomic.Body);
                Emit(new(RegexOp.AtomicLeave) { Register = register });
                break;
            case LookNode look:
                AddLook(look);
                break;
            case AnchorNode anchor:
                Emit(new(RegexOp.At) { Anchor = anchor.Anchor });
                break;
            default:
                throw new InvalidOperationException($"No code for {node.GetType().Name}.");
        }
    }

    private void AddSequence(IReadOnlyList<RegexNode> items)
    {
        for (int i = 0; i < items.Count; i++)
        {
            var text = new StringBuilder(); // neighbouring letters are one comparison
            for (; i < items.Count && items[i] is SetNode { Set.Single: { } codePoint }; i++)
                text.Append(char.ConvertFromUtf32(codePoint));
            if (text.Length > 0) Emit(new(RegexOp.Text) { Text = Encoding.UTF8.GetBytes(text.ToString()) });
            if (i < items.Count) Add(items[i]);
        }
    }

    /// <param name="alternatives">The first is preferred.</param>
    /// <param name="behind">Whether each is to end where the choice begins.</param>
    private void AddChoice(IReadOnlyList<RegexNode> alternatives, bool behind)
    {
        var rest = new CodePointSet?[alternatives.Count]; // what alternatives i and later begin with
        for (int i = alternatives.Count - 1; i >= 0 && !behind; i--)
        {
            FirstSet first = alternatives[i].First;
            bool known = !first.CanBeEmpty && (i + 1 == rest.Length || rest[i + 1] is not null);
            rest[i] = known ? first.Set.Union(i + 1 < rest.Length ? rest[i + 1]! : CodePointSet.Empty) : null;
        }
        var ends = new List<int>();
        for (int i = 0; i < alternatives.Count; i++)
        {
            bool last = i + 1 == alternatives.Count;
            FirstSet first = alternatives[i].First;
            int branch = last
                ? -1
                : Emit(new(RegexOp.Branch) { Set = behind || first.CanBeEmpty ? null : first.Set, OtherSet = rest[i + 1] });
            if (behind) Emit(new(RegexOp.Behind) { Least = alternatives[i].Length!.Value });
            Add(alternatives[i]);
            if (last) break;
            ends.Add(Emit(new(RegexOp.Jump)));
            PointHere(branch);
        }
        ends.ForEach(PointHere);
    }

    /// <summary>The body as often as it must be, then either a loop or one optional body inside the other.</summary>
    private void AddRepeat(RepeatNode repeat)
    {
        for (int i = 0; i < repeat.Least; i++) Add(repeat.Body);
        FirstSet first = repeat.Body.First;
        RegexOp op = repeat.Greed == Greed.Lazy ? RegexOp.LazyBranch : RegexOp.Branch;
        var branch = new RegexInstruction(op) { Set = first.CanBeEmpty ? null : first.Set };
        var exits = new List<int>();
        if (repeat.Most == RepeatNode.Unlimited)
        {
            int start = Emit(branch);
            exits.Add(start);
            int register = _registers;
            if (first.CanBeEmpty) Emit(new(RegexOp.LoopEnter) { Register = _registers++ });
            Add(repeat.Body);
            if (first.CanBeEmpty) exits.Add(Emit(new(RegexOp.LoopCheck) { Register = register })); // an empty turn is the last
            Emit(new(RegexOp.Jump) { Target = start });
        }
        for (int i = repeat.Least; i < repeat.Most && repeat.Most != RepeatNode.Unlimited; i++)
        {
            exits.Add(Emit(branch));
            Add(repeat.Body);
        }
        exits.ForEach(PointHere);
    }

    private void AddLook(LookNode look)
    {
        if (!look.Behind && look.Body is SetNode one)
        {
            Emit(new(look.Negative ? RegexOp.NextIsNot : RegexOp.NextIs) { Set = one.Set });
            return;
        }
        int register = _registers;
        _registers += 2;
        int enter = Emit(new(look.Negative ? RegexOp.NotEnter : RegexOp.LookEnter) { Register = register });
        if (look.Behind) AddChoice(look.Body is ChoiceNode choice ? choice.Alternatives : [look.Body], behind: true);
        else Add(look.Body);
        Emit(new(look.Negative ? RegexOp.NotLeave : RegexOp.LookLeave) { Register = register });
        PointHere(enter);
    }

    private int Emit(RegexInstruction instruction)
    {
        _program.Add(instruction);
        return _program.Count - 1;
    }

    private void PointHere(int instruction) => _program[instruction] = _program[instruction] with { Target = _program.Count };
}
