using System.Text.Json.Nodes;
using Finery.Data.Curation;
using Finery.Data.Deduplication.Sorting;
using Finery.Data.Filters;

namespace Finery.Data.Deduplication.Exact;

/// <summary>
/// Keeps one of all documents that have the same key. Dropped ones get <c>duplicate_of</c> (the kept one's id), kept ones
/// <c>duplicate_count</c>: how many were dropped for them, 0 for a document alone.
/// </summary>
/// <remarks>Keys are hashed to 128 bits: two of 10^12 documents are equal by chance once in 10^14 corpora. Memory: 4 KiB
/// for every part; all else is sorted in files, 32 bytes for every document.</remarks>
public abstract record EqualKeyStage : CorpusStage
{
    // Chains the two halves of the hash to different seeds.
    private const ulong LowSeed = 1;

    /// <summary>Folder of an index that an earlier run wrote: what is in it is dropped. Null for none.</summary>
    public string? Index { get; init; }

    /// <summary>Folder to write an index of all keys to. Null for none.</summary>
    public string? SaveIndex { get; init; }

    private protected abstract string Reason { get; }

    /// <summary>What makes documents equal; null for a document that equals no other.</summary>
    private protected abstract byte[]? KeyOf(Document document);

    /// <summary>The larger the better; of equals the first is kept.</summary>
    private protected abstract ulong PreferenceOf(Document document);

    /// <inheritdoc/>
    public override IEnumerable<Phase> Phases(Corpus corpus, string folder)
    {
        yield return new("keys", corpus.Parts, (part, context) => WriteKeys(corpus, folder, part, context));
        DocumentIds.Offsets(folder, corpus.Parts);
        var paths = KeyFiles(folder, corpus.Parts).ToList();
        var ranges = KeyRanges.Count(KeyRanges.Records<KeyedDocument>(paths));
        var indexes = IndexFolder.Files(Index, "*.keys");
        yield return new("groups", ranges, (range, context) => Group(indexes, paths, folder, range, ranges, context));
        yield return new("report", 1, (_, _) => WriteReport(corpus, folder, ranges));
    }

    /// <inheritdoc/>
    public override PartStage Open(Corpus corpus, string folder, int part) => new EqualKeyPart(
        this, folder, part, Enumerable.Range(0, KeyRanges.Saved(folder)).Select(r => GroupsOf(folder, r)));

    private static IEnumerable<string> KeyFiles(string folder, int parts) =>
        Enumerable.Range(0, parts).Select(p => Path.Combine(folder, "keys", $"{p:00000}"));

    private static string GroupsOf(string folder, int range) => Path.Combine(folder, "groups", $"{range:00000}");

    private void WriteKeys(Corpus corpus, string folder, int part, TaskContext context)
    {
        using var ids = new DocumentIds.Writer(folder, part);
        using var keys = new RecordSorter<KeyedDocument>(context.MemoryBytes / 2, folder);
        foreach (var (document, key) in OrderedParallel.Map(
            corpus.Read(part), Key, context.Threads, 256, 1 << 20, d => d.Text.Length))
        {
            context.Stop.ThrowIfCancellationRequested();
            if (key is { } found)
                keys.Add(found with { Position = DocumentPosition.Pack(part, ids.Count) });
            ids.Add(document.Id);
        }
        keys.WriteTo(KeyFiles(folder, part + 1).Last());
        ids.Commit();

        KeyedDocument? Key(Document document) => KeyOf(document) is { } bytes
            ? new(XxHash64.Hash(bytes), XxHash64.Hash(bytes, LowSeed), Math.Max(1, ~PreferenceOf(document)), 0) : null;
    }

    private void Group(List<string> indexes, List<string> paths, string folder, int range, int ranges, TaskContext context)
    {
        using var merge = KeyRanges.Merge<KeyedDocument>([.. indexes, .. paths], range, ranges, context.MemoryBytes / 2);
        using var members = new RecordSorter<Member>(context.MemoryBytes / 2, folder);
        using var index = SaveIndex is null ? null : new RecordWriter(Path.Combine(SaveIndex, $"{range:00000}.keys"));
        KeyedDocument kept = default;
        uint size = 0;
        while (merge.MoveNext())
        {
            var document = merge.Read<KeyedDocument>();
            if (size > 0 && document.HasKeyOf(kept))
            {
                size++;
                if (document.Avoidance > 0)
                    members.Add(new(document.Position, kept.Position, 0));
                continue;
            }
            context.Stop.ThrowIfCancellationRequested();
            EndGroup();
            (kept, size) = (document, 1);
        }
        EndGroup();
        index?.Commit();
        members.WriteTo(GroupsOf(folder, range));

        void EndGroup()
        {
            if (size > 1 && kept.Avoidance > 0)
                members.Add(new(kept.Position, kept.Position, size));
            if (size > 0)
                index?.Write(kept with { Avoidance = 0, Position = DocumentPosition.None });
        }
    }

    private void WriteReport(Corpus corpus, string folder, int ranges)
    {
        KeyRanges.Save(folder, ranges);
        long kept = 0, dropped = 0;
        for (var range = 0; range < ranges; range++)
            foreach (var member in RecordFile.ReadAll<Member>(GroupsOf(folder, range)))
                (kept, dropped) = member.Kept == member.Position ? (kept + 1, dropped) : (kept, dropped + 1);
        StageReport.Write(Path.Combine(folder, $"{Reason}.json"), this, new JsonObject
        {
            ["documents"] = DocumentIds.Offsets(folder, corpus.Parts)[^1],
            ["documents_with_key"] = KeyRanges.Records<KeyedDocument>(KeyFiles(folder, corpus.Parts)),
            ["clusters"] = kept,
            ["duplicates"] = dropped,
        });
    }

    private sealed class EqualKeyPart(EqualKeyStage stage, string folder, int part, IEnumerable<string> paths) : PartStage
    {
        private readonly DocumentIds _ids = new(folder);
        private readonly PartRecords<Member> _members = new(paths, part);

        public override void Apply(WorkingDocument document, long index)
        {
            if (!_members.TryTake(index, out var member))
            {
                document.SetMetadata("duplicate_count", 0);
                return;
            }
            _ids.Expect(member.Position, document.Document.Id);
            if (member.Kept == member.Position)
            {
                document.SetMetadata("duplicate_count", (int)Math.Min(member.Size - 1, int.MaxValue));
                return;
            }
            if (member.Kept != DocumentPosition.None)
                document.SetMetadata("duplicate_of", _ids.Get(member.Kept));
            document.Reject(stage.Reason);
        }

        public override void Dispose()
        {
            _members.Dispose();
            _ids.Dispose();
            base.Dispose();
        }
    }
}
