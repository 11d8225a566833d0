namespace Finery.Data.Classifiers;

/// <summary>What a threshold does to documents that were held out, half of them good.</summary>
/// <param name="Threshold">Score from which a document is kept.</param>
/// <param name="Precision">Share of the kept that is good.</param>
/// <param name="Recall">Share of the good that is kept.</param>
/// <param name="KeepRate">Share of the random documents that is kept: of a crawl this much remains.</param>
public readonly record struct ClassifierOperatingPoint(double Threshold, double Precision, double Recall, double KeepRate);

/// <summary>How a quality classifier turned out.</summary>
/// <param name="TrainingCount">Documents learned from, half of them good.</param>
/// <param name="HeldOutCount">Documents tested on, half of them good.</param>
/// <param name="Target">What the threshold was chosen for, in words: <c>keep_rate 0.1</c>.</param>
/// <param name="Threshold">The threshold chosen.</param>
/// <param name="Precision">Its precision.</param>
/// <param name="Recall">Its recall.</param>
/// <param name="KeepRate">Its keep rate.</param>
/// <param name="Curve">At most 101 thresholds over the whole range, ascending.</param>
public sealed record QualityClassifierReport(
    int TrainingCount, int HeldOutCount, string Target, double Threshold, double Precision, double Recall, double KeepRate,
    IReadOnlyList<ClassifierOperatingPoint> Curve);
