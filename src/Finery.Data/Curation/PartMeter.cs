using System.Text;
using System.Text.Json.Nodes;
using Finery.Data.Filters;
using Finery.Data.Tokenizers;

namespace Finery.Data.Curation;

/// <summary>Takes one document after another through the stages of a segment and counts what becomes of it. Used by one
/// thread.</summary>
internal sealed class PartMeter
{
    private readonly Segment _segment;
    private readonly PartStage? _head;
    private readonly WorkingDocument _work;
    private readonly Tokenizer? _tokenizer;
    private readonly List<int> _ids = [];
    private StageStatistics _stage = new();

    // What was counted last, and for which text.
    private string _countedText = "";
    private long _bytes, _tokens;
    private ulong _ticket;

    /// <param name="segment">Its stages.</param>
    /// <param name="head">What the corpus stage does to this part.</param>
    /// <param name="statistics">Where to count; may hold what was counted before an interruption.</param>
    /// <param name="tokenizer">Counts tokens; null to count none.</param>
    public PartMeter(Segment segment, PartStage? head, CurationStatistics statistics, Tokenizer? tokenizer)
    {
        (_segment, _head, Statistics, _tokenizer) = (segment, head, statistics, tokenizer);
        _work = new() { Observer = measurement => StageStatistics.Of(_stage.Rules, measurement.Rule).Add(measurement) };
        while (statistics.Stages.Count < segment.FirstStage + segment.StageNames.Count())
            statistics.Stages.Add(new());
        foreach (var (name, i) in segment.StageNames.Select((name, i) => (name, i)))
            statistics.Stages[segment.FirstStage + i].Name = name;
    }

    /// <summary>What was counted.</summary>
    public CurationStatistics Statistics { get; }

    /// <summary>Judges one document.</summary>
    /// <returns>The document as the stages left it.</returns>
    public WorkingDocument Judge(Document document, long index)
    {
        _work.Start(document);
        _ticket = Example.Ticket(document.Id);
        Measure();
        if (_segment.Index == 0)
            Statistics.Read.Add(1, _bytes, _tokens);
        var stage = _segment.FirstStage;
        if (_head is not null && !Passes(stage++, () => _head.Apply(_work, index)))
            return _work;
        foreach (var filter in _segment.Filters)
            if (!Passes(stage++, () => filter.Apply(_work)))
                return _work;
        return _work;
    }

    /// <summary>Counts a document of the last segment that is written.</summary>
    public void Write(WorkingDocument work)
    {
        Measure();
        Statistics.Written.Add(work.Copies, _bytes * work.Copies, _tokens * work.Copies);
        if (work.GetMetadata("language") is { Length: > 0 } language)
            Statistics.Languages.Add(language, work.Copies);
        if (work.GetMetadata("url") is { } url && Uri.TryCreate(url, UriKind.Absolute, out var address))
            Statistics.Domains.Add(address.Host, work.Copies);
    }

    private bool Passes(int stage, Action apply)
    {
        _stage = Statistics.Stages[stage];
        apply();
        Measure();
        if (_work.Reason is { } reason)
        {
            StageStatistics.Of(_stage.Dropped, reason).Add(1, _bytes, _tokens);
            StageStatistics.Of(_stage.Examples, reason).Add(_ticket, _work.Document);
            if (_work.GetMetadata("duplicate_of") is { } kept)
                Statistics.Clusters.Add(_work.Document, kept);
            return false;
        }
        _stage.Kept.Add(_work.Copies, _bytes * _work.Copies, _tokens * _work.Copies);
        StageStatistics.Of(_stage.Examples, "").Add(_ticket, _work.Document);
        if (_head is not null && stage == _segment.FirstStage
            && _work.Document.Metadata["minhash_cluster_size"] is JsonValue size
                && size.TryGetValue(out long members) && members > 1)
            Statistics.Clusters.Add(_work.Document, _work.Document.Id);
        return true;
    }

    private void Measure()
    {
        if (ReferenceEquals(_countedText, _work.Text))
            return;
        _countedText = _work.Text;
        _bytes = Encoding.UTF8.GetByteCount(_work.Text);
        _tokens = 0;
        // Markup is not what a model will read; its tokens would only be noise in the funnel.
        if (_tokenizer is null || _work.GetMetadata("media_type") is "text/html" or "application/xhtml+xml")
            return;
        _ids.Clear();
        _tokenizer.Encode(_work.Text, _ids);
        _tokens = _ids.Count;
    }
}
