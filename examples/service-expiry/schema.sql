-- What the script reads: services, and who answers for the customer that has them.
CREATE TABLE services (
    service_id INTEGER PRIMARY KEY,
    service_name TEXT NOT NULL,
    customer_id INTEGER NOT NULL,
    end_date TEXT NOT NULL,
    deleted INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE contacts (customer_id INTEGER NOT NULL, user_id INTEGER NOT NULL);
