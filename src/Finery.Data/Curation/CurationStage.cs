namespace Finery.Data.Curation;

/// <summary>
/// One stage of a curation: either a <see cref="Filters.DocumentFilter"/>, which looks at one document at a time, or a
/// <see cref="CorpusStage"/>, which looks across them. A stage <em>is</em> its settings: a <c>sealed record</c> whose <c>init</c>
/// properties are the published thresholds.
/// </summary>
/// <remarks>To add one: a file with the record, and a line in <see cref="StageCatalogue"/>.</remarks>
public abstract record CurationStage;
