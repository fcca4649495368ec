"""What is asked, decided before anything is sent: trials, parts, prompts, the plan, the audit of prompts. Pure."""
