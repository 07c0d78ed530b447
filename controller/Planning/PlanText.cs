namespace Decant.Controller.Planning;

/// <summary>A plan in plain lines, for <c>decant plan</c>.</summary>
public static class PlanText
{
    /// <summary>The lines, without markup or colour.</summary>
    public static IEnumerable<string> Of(Plan plan) => throw new NotImplementedException(plan?.ToString());
}
