using Finery.Data;
using Finery.Data.Curation;

namespace Finery.Tests.Data.Curation;

/// <summary>A corpus of lists.</summary>
internal sealed class ListCorpus(params List<Document>[] parts) : Corpus
{
    public override int Parts => parts.Length;

    public override long MemoryBytes => 1 << 20;

    public override IEnumerable<Document> Read(int part) => parts[part];
}
