using System.Text.Json.Nodes;
using Finery.Data.Filters;
using Finery.Data.Readers;

namespace Finery.Data.Curation;

/// <summary>What one stage measured of a document.</summary>
/// <param name="Name">Recipe name of the stage.</param>
/// <param name="Reached">Whether the document got this far; if not, what the stage would have said.</param>
/// <param name="Reason">Why it dropped the document; null if it passed.</param>
/// <param name="Measurements">Every rule's value beside its threshold, in order.</param>
/// <param name="Changes">Metadata the stage set, and the length of the text if it changed.</param>
public sealed record ExplainedStage(
    string Name, bool Reached, string? Reason, IReadOnlyList<Measurement> Measurements, JsonObject Changes);

/// <summary>Why a document is in or out.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Source">File it came from.</param>
/// <param name="Reason">Why it was dropped; null if it was kept.</param>
/// <param name="Stages">Stage after stage.</param>
/// <param name="Document">The document as it was written, or as it stood when it was dropped.</param>
public sealed record Explanation(
    string Id, string Source, string? Reason, IReadOnlyList<ExplainedStage> Stages, Document Document)
{
    /// <summary>Reads a document again from the input of a finished curation and goes through its stages, measuring all rules,
    /// also those behind the one that dropped it.</summary>
    /// <param name="settings">Settings of the curation.</param>
    /// <param name="folder">Its folder.</param>
    /// <param name="id">Id, or URL, of the document.</param>
    /// <returns>Null if the input has no such document.</returns>
    /// <exception cref="InvalidOperationException">The curation is not finished.</exception>
    public static Explanation? Of(CurationSettings settings, CurationFolder folder, string id)
    {
        if (!File.Exists(folder.Statistics))
            throw new InvalidOperationException($"The curation in {folder.Root} is not finished; run it to its end first.");
        var plan = CurationPlan.Open(settings, null, folder);
        if (Find(plan, id) is not var (document, part))
            return null;
        var stages = new List<ExplainedStage>();
        var work = new WorkingDocument(document);
        string? reason = null;
        foreach (var segment in plan.Segments)
        {
            if (segment.Head is { } head && reason is null)
            {
                using var applied = head.Open(new KeptCorpus(plan, folder, segment.Index - 1, 256L << 20),
                    folder.Head(segment.Index, StageCatalogue.NameOf(head)), part);
                var index = new KeptCorpus(plan, folder, segment.Index - 1, 0).Read(part)
                    .TakeWhile(kept => kept.Id != document.Id).LongCount();
                work = Explain(head, work.Document, reason is null, found => applied.Apply(found, index), stages);
                reason = work.Reason;
            }
            else if (segment.Head is not null)
                break; // What looks across documents never saw it.
            foreach (var filter in segment.Filters)
            {
                work = Explain(filter, work.Document, reason is null, filter.Apply, stages);
                reason ??= work.Reason;
            }
        }
        var last = stages.FindIndex(stage => stage.Reason is not null && stage.Reached);
        return new(document.Id, plan.Parts[part].Path, reason, stages, last < 0 ? work.Document : document);
    }

    private static (Document Document, int Part)? Find(CurationPlan plan, string id)
    {
        for (var part = 0; part < plan.Parts.Count; part++)
        {
            using var cursor = plan.Settings.Input.Open(plan.Parts[part], new ReadReport());
            while (cursor.Read() is { } document)
                if (document.Id == id
                    || (document.Metadata["url"] is JsonValue url && url.TryGetValue(out string? address) && address == id))
                    return (document, part);
        }
        return null;
    }

    private static WorkingDocument Explain(
        CurationStage stage, Document document, bool reached, Action<WorkingDocument> apply, List<ExplainedStage> stages)
    {
        var measurements = new List<Measurement>();
        var work = new WorkingDocument(document) { MeasureAll = true, Observer = measurements.Add };
        apply(work);
        var changes = new JsonObject();
        foreach (var (key, value) in work.Document.Metadata)
            if (!JsonNode.DeepEquals(value, document.Metadata[key]))
                changes[key] = value?.DeepClone();
        if (work.Text != document.Text)
            changes["characters"] = CharacterSets.Length(work.Text);
        if (work.Copies != 1)
            changes["copies"] = work.Copies;
        stages.Add(new(StageCatalogue.NameOf(stage), reached, work.Reason, measurements, changes));
        return work;
    }
}
