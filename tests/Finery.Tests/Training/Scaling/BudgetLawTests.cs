using Finery.Training.Scaling;
using Xunit;

namespace Finery.Tests.Training.Scaling;

public class BudgetLawTests
{
    [Fact]
    public void Loss_laws_divide_a_budget_as_published()
    {
        var plan = BudgetLaw.Chinchilla.Plan(1e21);
        Assert.Equal(1.824e9, plan.Parameters, 5e5);
        Assert.Equal(9.136e10, plan.Tokens, 5e6);
        Assert.Equal(2.3289, plan.Loss, 5e-5);
        plan = BudgetLaw.Refit.Plan(1e21);
        Assert.Equal(2.779e9, plan.Parameters, 1e6);
        Assert.Equal(5.998e10, plan.Tokens, 1e7);
        Assert.Equal(2.3055, plan.Loss, 5e-5);
    }

    [Fact]
    public void DeepSeek_is_as_published()
    {
        var plan = BudgetLaw.DeepSeek.Plan(1e20);
        Assert.Equal(9.860e-4, plan.LearningRate, 5e-8);
        Assert.Equal(1.017e6, plan.BatchTokens, 5e2);
        Assert.Equal(5.251e9, BudgetLaw.ModelOperations(1e20), 5e5);
        Assert.Equal(1.9045e10, plan.Tokens, 5e5);
        Assert.Equal(5.251e9 / 6, plan.Parameters, 1e5);
        // C = M D.
        Assert.InRange(BudgetLaw.ModelOperations(1e20) * plan.Tokens / 1e20, 0.999, 1.001);
    }

    [Fact]
    public void Moonlight_is_as_published()
    {
        var plan = BudgetLaw.Moonlight.Plan(1e20);
        Assert.InRange(6 * plan.Parameters * plan.Tokens / 1e20, 0.99, 1.01);
        Assert.Equal(0.0127339 * Math.Pow(1e20, -0.0574752), plan.LearningRate, 1e-12);
        Assert.Equal(0.0065202 * Math.Pow(1e20, 0.4137915), plan.BatchTokens, 1e-3);
    }

    [Fact]
    public void Every_law_counts_a_shape_in_its_own_way()
    {
        var shape = ComputeOptimalPlan.Shapes(32768, 1024).Single(shape => shape is { EmbeddingSize: 768, LayerCount: 16 });
        double embedding = 32768.0 * 768;
        Assert.Equal(shape.ParameterCount, BudgetLaw.Chinchilla.SizeOf(shape, 1024));
        Assert.Equal(shape.ParameterCount - embedding, BudgetLaw.Moonlight.SizeOf(shape, 1024));
        // 72 L d^2 + 12 L d T over 6 for a plain transformer: matrices without the head, and attention.
        Assert.Equal(shape.MatmulWeights - embedding + 2.0 * 16 * 768 * 1024, BudgetLaw.DeepSeek.SizeOf(shape, 1024), 1e-3);
    }

    [Fact]
    public void Budgets_outside_of_what_was_fitted_are_warned_of()
    {
        Assert.Null(BudgetLaw.Chinchilla.Warning(1e21));
        Assert.Contains("from 6e18", BudgetLaw.Chinchilla.Warning(1e15));
        Assert.Contains("up to 3e20", BudgetLaw.DeepSeek.Warning(1e24));
    }
}
