using System.Globalization;
using System.Text;
using System.Text.Json;

namespace Finery.Data.Tokenizers;

/// <summary>Receives a chunk: its text, and whether it begins the whole input.</summary>
internal delegate void ChunkSink(ReadOnlyMemory<byte> chunk, bool beginsInput);

/// <summary>A pre-tokenizer of <c>tokenizer.json</c>: cuts a chunk into smaller ones, or rewrites it. Immutable and
/// thread-safe.</summary>
internal abstract record Splitter
{
    /// <param name="chunk">Valid UTF-8, not empty.</param>
    /// <param name="beginsInput">Whether the chunk is the beginning of the whole input.</param>
    /// <param name="sink">Gets the parts in order, never an empty one.</param>
    public abstract void Split(ReadOnlyMemory<byte> chunk, bool beginsInput, ChunkSink sink);

    /// <summary>Reads the <c>pre_tokenizer</c> of <c>tokenizer.json</c> as steps one after the other; null is none.</summary>
    public static Splitter[] Read(JsonElement json)
    {
        var steps = new List<Splitter>();
        Add(json);
        if (steps.FindIndex(step => step is ByteLevelSplitter) is >= 0 and var at && at < steps.Count - 1)
            throw new NotSupportedException("pre_tokenizer ByteLevel is supported only as the last of a sequence");
        return [.. steps];

        void Add(JsonElement part)
        {
            if (part.IsNull()) return;
            if (part.Text("type") != "Sequence") steps.Add(ReadOne(part));
            else foreach (JsonElement item in part.Items("pretokenizers")) Add(item);
        }
    }

    /// <summary>The scanner that does what these steps do, or null.</summary>
    public static SplitPattern? PatternOf(Splitter[] steps) => steps switch
    {
        [ByteLevelSplitter { AddPrefixSpace: false, UseRegex: true }] => SplitPattern.Gpt2,
        [PatternSplitter { IsDigits: true, Behavior: SplitBehavior.Isolated },
            ByteLevelSplitter { AddPrefixSpace: false, UseRegex: true }] => SplitPattern.SmolLm,
        // These patterns match everything, so that removing what is not matched removes nothing.
        [PatternSplitter { Pattern: RegexPattern { Regex: var regex } } split,
            ByteLevelSplitter { AddPrefixSpace: false, UseRegex: false }]
            when split is { Behavior: SplitBehavior.Isolated } or { Behavior: SplitBehavior.Removed, Invert: true } =>
            PreTokenizer.PatternOf(regex),
        _ => null,
    };

    private static Splitter ReadOne(JsonElement json) => json.Text("type") switch
    {
        "ByteLevel" => new ByteLevelSplitter(json.Flag("add_prefix_space", absent: true), json.Flag("use_regex", absent: true)),
        "Split" => new PatternSplitter(
            TextPattern.Read(json.Required("pattern")), ReadBehavior(json.RequiredText("behavior")), json.Flag("invert", absent: false)),
        "Digits" => new PatternSplitter(new CharacterPattern(IsNumber),
            json.Flag("individual_digits", absent: false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous, Invert: false)
        {
            IsDigits = true,
        },
        "Whitespace" => new PatternSplitter(new RegexPattern(@"\w+|[^\w\s]+"), SplitBehavior.Removed, Invert: true),
        "WhitespaceSplit" => new PatternSplitter(new CharacterPattern(Rune.IsWhiteSpace), SplitBehavior.Removed, Invert: false),
        "Punctuation" => new PatternSplitter(
            new CharacterPattern(IsPunctuation), ReadBehavior(json.Text("behavior") ?? "Isolated"), Invert: false),
        "Metaspace" => new MetaspaceSplitter(Metaspace.Read(json), json.Flag("split", absent: true)),
        _ => throw JsonFields.Unsupported("pre_tokenizer", json),
    };

    private static SplitBehavior ReadBehavior(string name) =>
        Enum.TryParse(name, out SplitBehavior behavior) && behavior.ToString() == name
            ? behavior
            : throw new NotSupportedException($"pre_tokenizer behavior {name} is not supported");

    private static bool IsNumber(Rune rune) => Rune.GetUnicodeCategory(rune)
        is UnicodeCategory.DecimalDigitNumber or UnicodeCategory.LetterNumber or UnicodeCategory.OtherNumber;

    private static bool IsPunctuation(Rune rune) => Rune.IsPunctuation(rune) || (rune.IsAscii && Rune.IsSymbol(rune));
}

/// <summary>What becomes of the text that a Split's pattern matches.</summary>
internal enum SplitBehavior
{
    /// <summary>It goes.</summary>
    Removed,

    /// <summary>Each match is a chunk.</summary>
    Isolated,

    /// <summary>It belongs to the chunk before.</summary>
    MergedWithPrevious,

    /// <summary>It belongs to the chunk behind.</summary>
    MergedWithNext,

    /// <summary>Neighbouring matches are one chunk.</summary>
    Contiguous,
}

/// <summary>Cuts at matches of a pattern; <paramref name="Invert"/> takes what lies between them for the matches.</summary>
internal sealed record PatternSplitter(TextPattern Pattern, SplitBehavior Behavior, bool Invert) : Splitter
{
    /// <summary>Whether this is the Digits component.</summary>
    public bool IsDigits { get; init; }

    public override void Split(ReadOnlyMemory<byte> chunk, bool beginsInput, ChunkSink sink)
    {
        int start = 0, end = 0; // of the chunk in the making
        bool lastMatched = false, any = false;
        foreach (var (from, to, isMatch) in Segments(chunk.Span))
        {
            bool joins = any && Behavior switch
            {
                SplitBehavior.MergedWithPrevious => isMatch && !lastMatched,
                SplitBehavior.MergedWithNext => lastMatched && !isMatch,
                SplitBehavior.Contiguous => isMatch == lastMatched,
                _ => false,
            };
            if (!joins)
            {
                if (!(lastMatched && Behavior == SplitBehavior.Removed)) Emit(start, end);
                start = from;
            }
            (end, lastMatched, any) = (to, isMatch, true);
        }
        if (!(lastMatched && Behavior == SplitBehavior.Removed)) Emit(start, end);

        void Emit(int from, int to)
        {
            if (to > from) sink(chunk[from..to], beginsInput && from == 0);
        }
    }

    private List<(int Start, int End, bool IsMatch)> Segments(ReadOnlySpan<byte> text)
    {
        var segments = new List<(int, int, bool)>();
        int done = 0;
        foreach (var (start, end) in Pattern.Matches(text))
        {
            if (start > done) segments.Add((done, start, Invert));
            segments.Add((start, end, !Invert));
            done = end;
        }
        if (done < text.Length) segments.Add((done, text.Length, Invert));
        return segments;
    }
}

/// <summary>The step before byte-level BPE: a space put before each chunk, and GPT-2's split, as asked.</summary>
internal sealed record ByteLevelSplitter(bool AddPrefixSpace, bool UseRegex) : Splitter
{
    public override void Split(ReadOnlyMemory<byte> chunk, bool beginsInput, ChunkSink sink)
    {
        if (AddPrefixSpace && chunk.Span[0] != ' ') chunk = (byte[])[(byte)' ', .. chunk.Span];
        for (int start = 0, end; start < chunk.Length; start = end)
        {
            end = UseRegex ? PreTokenizer.ChunkEnd(chunk.Span, start, SplitPattern.Gpt2) : chunk.Length;
            sink(chunk[start..end], beginsInput && start == 0);
        }
    }
}

/// <summary>Spaces become a visible character, which begins each chunk.</summary>
internal sealed record MetaspaceSplitter(Metaspace Metaspace, bool IsSplit) : Splitter
{
    private readonly ReplaceNormalizer _replace = new(new LiteralPattern(" "), Metaspace.Replacement);
    private readonly PatternSplitter _split =
        new(new LiteralPattern(Encoding.UTF8.GetString(Metaspace.Replacement)), SplitBehavior.MergedWithNext, Invert: false);

    public override void Split(ReadOnlyMemory<byte> chunk, bool beginsInput, ChunkSink sink)
    {
        if (_replace.Apply(chunk.Span) is { } replaced) chunk = replaced;
        bool prepends = Metaspace.Scheme switch
        {
            PrependScheme.Always => true,
            PrependScheme.First => beginsInput,
            _ => false,
        };
        if (prepends && !chunk.Span.StartsWith(Metaspace.Replacement)) chunk = (byte[])[.. Metaspace.Replacement, .. chunk.Span];
        if (IsSplit) _split.Split(chunk, beginsInput, sink);
        else sink(chunk, beginsInput);
    }
}

/// <summary>Where Metaspace puts its character before text that does not begin with it.</summary>
internal enum PrependScheme
{
    /// <summary>Before every chunk.</summary>
    Always,

    /// <summary>Before the first chunk of the input.</summary>
    First,

    /// <summary>Nowhere.</summary>
    Never,
}

/// <summary>Settings common to Metaspace as pre-tokenizer and as decoder.</summary>
internal sealed record Metaspace(byte[] Replacement, PrependScheme Scheme)
{
    public static Metaspace Read(JsonElement json)
    {
        string replacement = json.Text("replacement") ?? "▁";
        if (!Rune.TryGetRuneAt(replacement, 0, out Rune rune) || rune.Utf16SequenceLength != replacement.Length)
            throw new InvalidDataException($"Metaspace replacement \"{replacement}\" is not one character");
        string scheme = json.Text("prepend_scheme") ?? (json.Flag("add_prefix_space", absent: true) ? "always" : "never");
        return new Metaspace(Encoding.UTF8.GetBytes(replacement), scheme switch
        {
            "always" => PrependScheme.Always,
            "first" => PrependScheme.First,
            "never" => PrependScheme.Never,
            _ => throw new NotSupportedException($"Metaspace prepend_scheme {scheme} is not supported"),
        });
    }
}
