using System.Text.Json.Nodes;
using Finery.Data.Filters;

namespace Finery.Data.Curation.Attributes;

/// <summary>
/// Puts attributes that were written beside the documents into their metadata, under <c>attributes</c>, for filters that
/// follow. Files are read along with the documents; nothing is held but the line ahead.
/// </summary>
public sealed record AttributeJoinStage : CorpusStage
{
    /// <summary>The folder of attributes.</summary>
    public string Folder { get; init; } = "";

    /// <summary>Names of the taggers, which are its subfolders.</summary>
    public IReadOnlyList<string> Names { get; init; } = [];

    /// <inheritdoc/>
    public override IEnumerable<Phase> Phases(Corpus corpus, string folder) => [];

    /// <inheritdoc/>
    public override PartStage Open(Corpus corpus, string folder, int part) =>
        new JoinPart([.. Names.Select(name => AttributeFile.Read(AttributeFile.PathOf(Folder, name, part)).GetEnumerator())]);

    /// <summary>Settings that do nothing.</summary>
    public IEnumerable<(string Property, string Message)> Validate()
    {
        if (Folder.Length == 0 || Names.Count == 0)
            yield return (nameof(Names), "A folder of attributes and at least one name in it are needed.");
    }

    private sealed class JoinPart(List<IEnumerator<DocumentAttributes>> files) : PartStage
    {
        public override void Apply(WorkingDocument document, long index)
        {
            var joined = document.Document.Metadata["attributes"]?.DeepClone() as JsonObject ?? [];
            foreach (var file in files)
                foreach (var (name, spans) in Find(file, document.Document.Id).ToJson())
                    joined[name] = spans!.DeepClone();
            document.SetMetadata("attributes", joined);
        }

        public override void Dispose()
        {
            foreach (var file in files)
                file.Dispose();
            base.Dispose();
        }

        // Documents dropped earlier on have lines, too, which are passed over.
        private static DocumentAttributes Find(IEnumerator<DocumentAttributes> file, string id)
        {
            while (file.MoveNext())
                if (file.Current.Id == id)
                    return file.Current;
            throw new InvalidDataException(
                $"Document '{id}' has no line of attributes, or not in the order of the documents.");
        }
    }
}
