namespace Finery.Workflow.Steps;

/// <summary>Marks a setting that cannot change what a step writes, such as a memory limit or a log interval. It is left out of
/// the cache key, so that changing it reruns nothing.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class NeutralAttribute : Attribute;
