using System.Runtime.InteropServices;
using Finery.Data.Curation;
using Finery.Data.Deduplication.Sorting;
using Finery.Data.Filters;

namespace Finery.Data.Deduplication.MinHash;

/// <summary>Marks and drops the near-duplicates of one part.</summary>
internal sealed class MinHashPart : PartStage
{
    private readonly MinHashStage _stage;
    private readonly int _part;
    private readonly long[] _offsets;
    private readonly DocumentIds _ids;
    private readonly PartRecords<Member> _members;

    public MinHashPart(MinHashStage stage, string folder, int part, IEnumerable<string> members)
    {
        (_stage, _part) = (stage, part);
        _ids = new DocumentIds(folder);
        _members = new PartRecords<Member>(members, part);
        _offsets = MemoryMarshal.Cast<byte, long>(File.ReadAllBytes(MinHashClusters.OffsetsOf(folder))).ToArray();
    }

    public override void Apply(WorkingDocument document, long index)
    {
        if (!_members.TryTake(index, out var member))
        {
            document.SetMetadata("minhash_cluster_size", 1);
            if (_stage.ClusterIds)
                document.SetMetadata("minhash_cluster_id", -1L);
            return;
        }
        _ids.Expect(member.Position, document.Document.Id);
        document.SetMetadata("minhash_cluster_size", (int)Math.Min(member.Size, int.MaxValue));
        if (_stage.ClusterIds)
            document.SetMetadata("minhash_cluster_id", member.Kept == DocumentPosition.None
                ? -2 : _offsets[DocumentPosition.Part(member.Kept)] + DocumentPosition.Index(member.Kept));
        if (member.Kept == member.Position)
            return;
        if (member.Kept != DocumentPosition.None)
            document.SetMetadata("duplicate_of", _ids.Get(member.Kept));
        document.Reject("near_duplicate");
    }

    public override void Dispose()
    {
        _members.Dispose();
        _ids.Dispose();
        base.Dispose();
    }
}
