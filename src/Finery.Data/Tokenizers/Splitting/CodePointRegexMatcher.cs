using System.Text;

namespace Finery.Data.Tokenizers;

/// <summary>The machine that runs a compiled expression, with its places to return to on a stack of its own.</summary>
internal sealed partial class CodePointRegex
{
    private enum Return : byte
    {
        /// <summary>Another way, at the place where it began.</summary>
        Other,

        /// <summary>A greedy repeat, which can end one code point earlier.</summary>
        Shrink,

        /// <summary>A lazy repeat, which can take one code point more.</summary>
        Grow,

        /// <summary>A register's former value: there is nothing to try.</summary>
        Restore,
    }

    /// <summary>End of the match that begins at <paramref name="start"/>, or -1.</summary>
    private int MatchAt(ReadOnlySpan<byte> text, int start, Backtracking stack, ref long steps)
    {
        stack.Count = 0;
        int[] registers = stack.Registers;
        int pc = 0, at = start;
        while (true)
        {
            if (--steps < 0) throw TooLong();
            ref readonly RegexInstruction step = ref _program[pc];
            bool matched = true;
            switch (step.Op)
            {
                case RegexOp.Match:
                    return at;
                case RegexOp.Text:
                    matched = text[at..].StartsWith(step.Text);
                    if (matched) at += step.Text!.Length;
                    break;
                case RegexOp.Set:
                    matched = step.Set!.TryTake(text, ref at);
                    break;
                case RegexOp.Repeat or RegexOp.PossessiveRepeat:
                    int before = at;
                    matched = step.Least == 0 || step.Set!.TakeRun(text, ref at, step.Least) == step.Least;
                    if (!matched) break;
                    int least = at;
                    step.Set!.TakeRun(text, ref at, step.Most - step.Least);
                    steps -= at - before;
                    if (at > least && step.Op == RegexOp.Repeat && !stack.Push(Return.Shrink, pc + 1, at, least)) throw TooDeep();
                    break;
                case RegexOp.LazyRepeat:
                    matched = step.Set!.TakeRun(text, ref at, step.Least) == step.Least;
                    if (!matched || step.Most == step.Least) break;
                    if (!stack.Push(Return.Grow, pc, at, step.Most - step.Least)) throw TooDeep();
                    break;
                case RegexOp.Branch:
                    if (step.Set is not null && !step.Set.IsAt(text, at))
                    {
                        pc = step.Target;
                        continue;
                    }
                    if ((step.OtherSet is null || step.OtherSet.IsAt(text, at)) && !stack.Push(Return.Other, step.Target, at, 0))
                        throw TooDeep();
                    break;
                case RegexOp.LazyBranch:
                    if ((step.Set is null || step.Set.IsAt(text, at)) && !stack.Push(Return.Other, pc + 1, at, 0)) throw TooDeep();
                    pc = step.Target;
                    continue;
                case RegexOp.Jump:
                    pc = step.Target;
                    continue;
                case RegexOp.LoopEnter:
                    if (!stack.Push(Return.Restore, step.Register, registers[step.Register], 0)) throw TooDeep();
                    registers[step.Register] = at;
                    break;
                case RegexOp.LoopCheck:
                    if (registers[step.Register] != at) break;
                    pc = step.Target;
                    continue;
                case RegexOp.AtomicEnter:
                    registers[step.Register] = stack.Count;
                    break;
                case RegexOp.AtomicLeave:
                    stack.Count = registers[step.Register];
                    break;
                case RegexOp.LookEnter:
                    (registers[step.Register], registers[step.Register + 1]) = (stack.Count, at);
                    break;
                case RegexOp.LookLeave:
                    (stack.Count, at) = (registers[step.Register], registers[step.Register + 1]);
                    break;
                case RegexOp.NotEnter:
                    registers[step.Register] = stack.Count;
                    if (!stack.Push(Return.Other, step.Target, at, 0)) throw TooDeep(); // taken when the body fails
                    break;
                case RegexOp.NotLeave:
                    stack.Count = registers[step.Register];
                    matched = false;
                    break;
                case RegexOp.Behind:
                    for (int i = 0; i < step.Least && matched; i++)
                    {
                        matched = at > 0;
                        if (matched) at = StepBack(text, at, 0);
                    }
                    steps -= step.Least;
                    break;
                case RegexOp.NextIs:
                    matched = step.Set!.IsAt(text, at);
                    break;
                case RegexOp.NextIsNot:
                    matched = !step.Set!.IsAt(text, at);
                    break;
                case RegexOp.At:
                    matched = IsAt(step.Anchor, text, at);
                    break;
            }
            if (matched) pc++;
            else if (!TryReturn(text, stack, ref pc, ref at)) return -1;
        }
    }

    /// <summary>Goes back to the latest place where there is something else to try.</summary>
    private bool TryReturn(ReadOnlySpan<byte> text, Backtracking stack, ref int pc, ref int at)
    {
        while (stack.Count > 0)
        {
            ref Backtracking.Entry entry = ref stack.Top;
            switch (entry.Kind)
            {
                case Return.Other:
                    (pc, at) = (entry.Where, entry.At);
                    stack.Count--;
                    return true;
                case Return.Shrink:
                    entry.At = StepBack(text, entry.At, entry.Limit);
                    (pc, at) = (entry.Where, entry.At);
                    if (at <= entry.Limit) stack.Count--;
                    return true;
                case Return.Grow:
                    if (entry.Limit > 0 && _program[entry.Where].Set!.TryTake(text, ref entry.At))
                    {
                        entry.Limit--;
                        (pc, at) = (entry.Where + 1, entry.At);
                        return true;
                    }
                    stack.Count--;
                    break;
                case Return.Restore:
                    stack.Registers[entry.Where] = entry.At;
                    stack.Count--;
                    break;
            }
        }
        return false;
    }

    private static int StepBack(ReadOnlySpan<byte> text, int at, int limit)
    {
        at--;
        while (at > limit && (text[at] & 0xC0) == 0x80) at--;
        return at;
    }

    private static bool IsAt(Anchor anchor, ReadOnlySpan<byte> text, int at) => anchor switch
    {
        Anchor.TextStart => at == 0,
        Anchor.TextEnd => at == text.Length,
        Anchor.LastLineEnd => at == text.Length || (at == text.Length - 1 && text[at] == '\n'),
        Anchor.LineStart => at == 0 || (at < text.Length && text[at - 1] == '\n'),
        Anchor.LineEnd => at == text.Length || text[at] == '\n',
        Anchor.WordBoundary => WordEndsOrBegins(text, at),
        _ => !WordEndsOrBegins(text, at),
    };

    private static bool WordEndsOrBegins(ReadOnlySpan<byte> text, int at)
    {
        bool before = false;
        if (at > 0)
        {
            Rune.DecodeLastFromUtf8(text[..at], out Rune rune, out _);
            before = UnicodeSets.WordCharacters.Contains(rune.Value);
        }
        return before != UnicodeSets.WordCharacters.IsAt(text, at);
    }

    /// <summary>A stack of places to return to; one is kept for each thread.</summary>
    private sealed class Backtracking
    {
        /// <summary>128 MiB of places.</summary>
        public const int MostEntries = 1 << 23;

        private const int MostKept = 1 << 16;

        [ThreadStatic]
        private static Backtracking? t_kept;

        private Entry[] _entries = new Entry[64];

        public int Count { get; set; }

        public int[] Registers { get; private set; } = [];

        public ref Entry Top => ref _entries[Count - 1];

        public static Backtracking Rent(int registers)
        {
            Backtracking stack = t_kept ?? new Backtracking();
            t_kept = null;
            if (stack.Registers.Length < registers) stack.Registers = new int[registers];
            return stack;
        }

        /// <summary>Gives the stack to the thread's next user, unless a hard text has made it large.</summary>
        public void Return() => t_kept = _entries.Length <= MostKept ? this : null;

        /// <summary>False where the stack would grow too large.</summary>
        public bool Push(Return kind, int where, int at, int limit)
        {
            if (Count == _entries.Length)
            {
                if (Count >= MostEntries) return false;
                Array.Resize(ref _entries, Count * 2);
            }
            _entries[Count++] = new Entry { Kind = kind, Where = where, At = at, Limit = limit };
            return true;
        }

        /// <summary>A place: instruction (or register), byte position, and the position or count that ends a repeat.</summary>
        public struct Entry
        {
            public Return Kind;
            public int Where, At, Limit;
        }
    }
}
