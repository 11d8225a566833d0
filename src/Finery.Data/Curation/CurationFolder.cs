using System.Globalization;

namespace Finery.Data.Curation;

/// <summary>Where a curation keeps what.</summary>
/// <param name="root">Its folder.</param>
public sealed class CurationFolder(string root)
{
    /// <summary>Its folder.</summary>
    public string Root => root;

    /// <summary>The curated documents.</summary>
    public string Documents => Path.Combine(root, "documents");

    /// <summary>What is being curated: settings, inputs, parts.</summary>
    public string Plan => Path.Combine(root, "curation.json");

    /// <summary>Statistics merged over all parts; written last, so its presence says that all is done.</summary>
    public string Statistics => Path.Combine(root, "statistics.json");

    /// <summary>The documents a segment dropped, a file a part.</summary>
    public string Dropped(int segment) => Path.Combine(root, "dropped", Number(segment, 2));

    /// <summary>The documents a segment that is not the last passed on, a file a part.</summary>
    internal string Kept(int segment) => Path.Combine(SegmentRoot(segment), "kept");

    internal string KeptFile(int segment, int part) => Path.Combine(Kept(segment), $"{PartName(part)}.jsonl.zst");

    /// <summary>Files of the stage that looks across documents.</summary>
    internal string Head(int segment, string stage) => Path.Combine(SegmentRoot(segment), stage);

    internal string PhaseMarker(int segment, string stage, string phase, int task) =>
        Path.Combine(SegmentRoot(segment), "phases", $"{stage}-{phase}", $"{PartName(task)}.done");

    internal string PartRecord(int segment, int part) => Path.Combine(SegmentRoot(segment), "parts", $"{PartName(part)}.json");

    internal string PartState(int segment, int part) =>
        Path.Combine(SegmentRoot(segment), "parts", $"{PartName(part)}.state.json");

    internal string Lock(string task) => Path.Combine(root, "locks", $"{task}.lock");

    internal static string PartName(int part) => Number(part, 5);

    private string SegmentRoot(int segment) => Path.Combine(root, "stages", Number(segment, 2));

    private static string Number(int value, int digits) =>
        value.ToString("D" + digits.ToString(CultureInfo.InvariantCulture), CultureInfo.InvariantCulture);
}
