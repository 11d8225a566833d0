using System.Text;
using System.Text.Json.Nodes;
using Finery.Data.Batches;
using Finery.Data.Curation;
using Finery.Data.Deduplication.Sorting;
using Finery.Data.Filters;
using Finery.Data.Tokenizers;

namespace Finery.Data.Deduplication.Substrings;

/// <summary>
/// Exact substring deduplication (Lee et al. 2021): every run of at least 50 tokens that occurred before, in this document or
/// another, is cut out; the first occurrence stays. Cut at token boundaries and never within a character. A document of which
/// nothing is left is dropped: <c>substring_dedup</c>.
/// </summary>
/// <remarks>
/// A token belongs to a repeated run of at least n exactly if it belongs to a repeated run of n: so all windows of n tokens are
/// hashed to 122 bits and sorted, in place of a suffix array, which finds the same and must hold the corpus in memory. Memory:
/// 4 KiB for every part; all else is sorted in files, 28 bytes for every token.
/// </remarks>
public sealed record SubstringStage : CorpusStage
{
    private const ulong HighRadix = 0x0B3C_1D5F_6A79_2E8DUL;
    private const ulong LowRadix = 0x1492_7E0B_53D1_C68FUL;

    private OnDemand<Tokenizer> _tokenizer;

    /// <summary>Tokens of the shortest run that is cut.</summary>
    public int MinTokens { get; init; } = 50;

    /// <summary>What a token is if there is no <see cref="TokenizerFile"/>.</summary>
    public SubstringUnit Unit { get; init; }

    /// <summary>A tokenizer's folder or <c>tokenizer.json</c>, whose tokens are meant. Null for <see cref="Unit"/>.</summary>
    public string? TokenizerFile { get; init; }

    /// <summary>Reports settings that cannot work.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (MinTokens is < 2 or > 1_000_000)
            yield return (nameof(MinTokens), $"a run has 2 to 1000000 tokens, not {MinTokens}");
    }

    /// <inheritdoc/>
    public override IEnumerable<Phase> Phases(Corpus corpus, string folder)
    {
        foreach (var (property, message) in Validate())
            throw new ArgumentException($"{property}: {message}.");
        yield return new("windows", corpus.Parts, (part, context) => WriteWindows(corpus, folder, part, context));
        var offsets = DocumentIds.Offsets(folder, corpus.Parts);
        var paths = WindowFiles(folder, corpus.Parts).ToList();
        var ranges = KeyRanges.Count(KeyRanges.Records<TokenWindow>(paths));
        yield return new("repeats", ranges, (range, context) => FindRepeats(paths, folder, range, ranges, context));
        yield return new("report", 1, (_, _) =>
        {
            KeyRanges.Save(folder, ranges);
            StageReport.Write(Path.Combine(folder, "substring_dedup.json"), this, new JsonObject
            {
                ["documents"] = offsets[^1],
                ["windows"] = KeyRanges.Records<TokenWindow>(paths),
                ["windows_repeated"] = KeyRanges.Records<RepeatedTokens>(RepeatFiles(folder, ranges)),
            });
        });
    }

    /// <inheritdoc/>
    public override PartStage Open(Corpus corpus, string folder, int part) => new SubstringPart(
        this, folder, part, RepeatFiles(folder, KeyRanges.Saved(folder)));

    private static IEnumerable<string> WindowFiles(string folder, int parts) =>
        Enumerable.Range(0, parts).Select(p => Path.Combine(folder, "windows", $"{p:00000}"));

    private static IEnumerable<string> RepeatFiles(string folder, int ranges) =>
        Enumerable.Range(0, ranges).Select(r => Path.Combine(folder, "repeats", $"{r:00000}"));

    private SubstringTokens TokensOf(string text, byte[] utf8)
    {
        var tokenizer = TokenizerFile is null
            ? null : _tokenizer.Get(this, s => Tokenizers.TokenizerFile.Load(s.TokenizerFile!));
        return SubstringTokens.Of(text, utf8, Unit, tokenizer);
    }

    private void WriteWindows(Corpus corpus, string folder, int part, TaskContext context)
    {
        using var ids = new DocumentIds.Writer(folder, part);
        using var windows = new RecordSorter<TokenWindow>(context.MemoryBytes / 2, folder);
        foreach (var (document, values) in OrderedParallel.Map(
            corpus.Read(part), d => TokensOf(d.Text, Encoding.UTF8.GetBytes(d.Text)).Values, context.Threads, 256, 1 << 20,
            d => d.Text.Length))
        {
            context.Stop.ThrowIfCancellationRequested();
            var position = DocumentPosition.Pack(part, ids.Count);
            RollingHash high = new(HighRadix, MinTokens), low = new(LowRadix, MinTokens);
            for (var i = 0; i < values.Length; i++)
            {
                high.Add(values[i]);
                low.Add(values[i]);
                if (i >= MinTokens)
                {
                    high.Remove(values[i - MinTokens]);
                    low.Remove(values[i - MinTokens]);
                }
                // Mixed, as the ranges of the tasks are of evenly spread numbers.
                if (i >= MinTokens - 1)
                    windows.Add(new(SeededHash.Mix(high.Value), low.Value, position, (uint)(i - MinTokens + 1)));
            }
            ids.Add(document.Id);
        }
        windows.WriteTo(WindowFiles(folder, part + 1).Last());
        ids.Commit();
    }

    private void FindRepeats(List<string> paths, string folder, int range, int ranges, TaskContext context)
    {
        using var merge = KeyRanges.Merge<TokenWindow>(paths, range, ranges, context.MemoryBytes / 2);
        using var repeats = new RecordSorter<RepeatedTokens>(context.MemoryBytes / 2, folder);
        TokenWindow? last = null;
        for (long n = 0; merge.MoveNext(); n++)
        {
            if ((n & 0xFFFF) == 0)
                context.Stop.ThrowIfCancellationRequested();
            var window = merge.Read<TokenWindow>();
            if (last is not { } first || first.High != window.High || first.Low != window.Low)
            {
                last = window;
                continue;
            }
            // Where a run overlaps its own first occurrence, that stays whole.
            var from = first.Position == window.Position ? Math.Max(window.First, first.First + (uint)MinTokens) : window.First;
            repeats.Add(new(window.Position, from, window.First + (uint)MinTokens));
        }
        repeats.WriteTo(RepeatFiles(folder, range + 1).Last());
    }

    private sealed class SubstringPart(SubstringStage stage, string folder, int part, IEnumerable<string> paths) : PartStage
    {
        private readonly DocumentIds _ids = new(folder);
        private readonly PartRecords<RepeatedTokens> _repeats = new(paths, part);

        public override void Apply(WorkingDocument document, long index)
        {
            if (!_repeats.TryTake(index, out var repeat))
                return;
            _ids.Expect(repeat.Position, document.Document.Id);
            var utf8 = Encoding.UTF8.GetBytes(document.Text);
            var starts = stage.TokensOf(document.Text, utf8).Starts;
            using var kept = new MemoryStream(utf8.Length);
            var at = 0;
            do
            {
                var from = Forward(utf8, Math.Max(at, starts[repeat.From]));
                var to = Back(utf8, starts[repeat.To]);
                if (to <= from)
                    continue;
                kept.Write(utf8, at, from - at);
                at = to;
            }
            while (_repeats.TryTake(index, out repeat));
            kept.Write(utf8, at, utf8.Length - at);
            document.Rewrite(Encoding.UTF8.GetString(kept.GetBuffer(), 0, (int)kept.Length));
            document.RejectIf("substring_dedup", document.Text.AsSpan().Trim().IsEmpty);
        }

        public override void Dispose()
        {
            _repeats.Dispose();
            _ids.Dispose();
            base.Dispose();
        }

        // A character of which a part stays, stays whole.
        private static int Forward(byte[] utf8, int at)
        {
            while (at < utf8.Length && (utf8[at] & 0xC0) == 0x80)
                at++;
            return at;
        }

        private static int Back(byte[] utf8, int at)
        {
            while (at > 0 && at < utf8.Length && (utf8[at] & 0xC0) == 0x80)
                at--;
            return at;
        }
    }
}
