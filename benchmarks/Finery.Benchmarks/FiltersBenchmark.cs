using System.Text.Json;
using Finery.Data;
using Finery.Data.Filters;
using Finery.Data.Filters.Segmentation;

namespace Finery.Benchmarks;

/// <summary>
/// The published rule families on real text, in MB of UTF-8 a second on one thread: <c>filters [FOLDER] [ROUNDS]</c>, where FOLDER
/// has <c>text/peps.jsonl.gz</c> (shared/data beside the repository). Each filter alone on a new document; all four one after another
/// on one document, whether or not one before them dropped it; and, as a curation does, to the first that drops it. One JSON line a
/// case: median and best, and how many documents are kept.
/// </summary>
internal static class FiltersBenchmark
{
    private static readonly DocumentFilter[] s_filters =
        [new GopherRepetitionFilter(), new GopherQualityFilter(), new C4QualityFilter(), new FineWebQualityFilter()];

    public static void Run(string[] args)
    {
        var rounds = args.Length > 1 && int.TryParse(args[1], out int number) && number > 0 ? number
            : args.Length > 1 ? throw new FormatException($"'{args[1]}' is not a number of rounds.") : 9;
        foreach (Corpus corpus in Corpus.Technical(args.FirstOrDefault()).Concat(Corpus.All(args.FirstOrDefault(), code: null, 16 << 20)))
        {
            Document[] documents = [.. corpus.Documents.Select((text, i) => new Document($"{i}", text))];
            var words = new TextSpans();
            Report("words", work => Words.Split(work.Text, "en", words));
            foreach (DocumentFilter filter in s_filters) Report(filter.GetType().Name, filter.Apply);
            Report("every filter", work =>
            {
                foreach (DocumentFilter filter in s_filters) filter.Apply(work);
            });
            Report("to the first that drops", work =>
            {
                foreach (DocumentFilter filter in s_filters)
                {
                    filter.Apply(work);
                    if (work.Reason is not null) return;
                }
            });

            void Report(string name, Action<WorkingDocument> judge)
            {
                var work = new WorkingDocument();
                int kept = 0;
                void Pass()
                {
                    kept = 0;
                    foreach (Document document in documents)
                    {
                        work.Start(document);
                        judge(work);
                        kept += work.Reason is null ? 1 : 0;
                    }
                }
                // Twice before it counts: the just-in-time compiler optimises what it finds busy.
                Pass();
                Pass();
                double[] rates = [.. Enumerable.Range(0, rounds).Select(_ => corpus.Bytes / 1e6 / Measurement.Seconds(Pass))];
                Console.WriteLine(JsonSerializer.Serialize(new Dictionary<string, object>
                {
                    ["case"] = $"{name}, {corpus.Name}", ["MB/s"] = Math.Round(Measurement.Median(rates), 2),
                    ["best"] = Math.Round(rates.Max(), 2), ["MB"] = Math.Round(corpus.Bytes / 1e6, 2),
                    ["documents"] = documents.Length, ["kept"] = kept,
                }));
            }
        }
    }
}
