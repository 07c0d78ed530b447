using System.Globalization;

namespace Decant.Controller.Manifest;

/// <summary>When deployments may begin. A window that ends before it begins goes over midnight, and belongs to the day on which it began.</summary>
/// <param name="From">Local time.</param>
/// <param name="To">Local time; not included.</param>
/// <param name="Days">Days on which it begins.</param>
/// <param name="Zone">Whose local time.</param>
public sealed record MaintenanceWindow(TimeOnly From, TimeOnly To, IReadOnlyList<DayOfWeek> Days, TimeZoneInfo Zone)
{
    /// <summary>Whether a moment lies within it.</summary>
    public bool Contains(DateTimeOffset moment)
    {
        var local = TimeZoneInfo.ConvertTime(moment, Zone);
        var time = TimeOnly.FromTimeSpan(local.TimeOfDay);
        if (From < To) return time >= From && time < To && Days.Contains(local.DayOfWeek);
        return time >= From ? Days.Contains(local.DayOfWeek) : time < To && Days.Contains(local.AddDays(-1).DayOfWeek);
    }

    /// <summary>For people: <c>22:00 to 05:00 on Saturday, Sunday (UTC)</c>.</summary>
    public override string ToString()
        => string.Create(CultureInfo.InvariantCulture, $"{From:HH:mm} to {To:HH:mm}{(Days.Count == 7 ? "" : $" on {string.Join(", ", Days)}")} ({Zone.Id})");
}
